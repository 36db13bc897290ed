/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Whose the devices are that a restore is to overwrite. */
#pragma once

struct err;
struct restore_report;
struct ui;

/*
 * Refuses devices of @report that a domain of this host has as a disk, whether
 * it runs or not: -EBUSY. Allowed is a disk of the domain @uuid itself, the one
 * that is restored, unless it is tracked.
 */
int restore_check_owners(const char *connect, const char *uuid,
			 const struct restore_report *report, struct ui *ui,
			 struct err *err);
