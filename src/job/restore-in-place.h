/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Restore to the disks that a stopped domain has; see restore-in-place.c. */
#pragma once

struct err;
struct restore;

/*
 * Finds the domain that the point is of, which must be stopped, and keeps it
 * so as long as restore->session is open. -EBUSY: it runs; -EOPNOTSUPP: its
 * state is saved; -ESTALE: it is another domain.
 */
int restore_in_place_begin(struct restore *restore, struct err *err);

/* What its disk @target is on, in a new string. NULL: see @err. */
char *restore_in_place_path(const struct restore *restore, const char *target,
			    struct err *err);

/* Restores the disks of the report. */
int restore_in_place(struct restore *restore, struct err *err);
