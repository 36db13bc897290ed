/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A disk of a point in a repository on another host, on a socket of this one:
 * each connection there goes through ssh to the qemu-nbd over there.
 */
#pragma once

#include "base/cleanup.h"
#include "ship/ship.h"

struct err;
struct export_far;
struct manifest;
struct ui;

/* All strings stay with the caller. */
struct export_far_disk {
	const char *repository; /* ssh:// */
	const char *domain;
	const struct manifest *point;
	const char *target; /* vda */
	const char *socket; /* path; must not be there yet */
};

/*
 * Begins to serve, after the disk was read from once. Points over there are not
 * pruned as long as it lasts. To be ended by export_far_end().
 */
int export_far_begin(const struct export_far_disk *disk, ship_cancel cancelled,
		     struct export_far **ret_far, struct ui *ui,
		     struct err *err);

/* What can be read when somebody comes in; then export_far_answer(). */
int export_far_fd(const struct export_far *far);

/* Lets him in, unless there are too many. */
void export_far_answer(struct export_far *far);

/* An error if the other host does not answer any more. */
int export_far_check(struct export_far *far, struct err *err);

void export_far_end(struct export_far *far);
DEFINE_CLEANUP(struct export_far *, export_far_end);
#define _cleanup_export_far_ _cleanup_(cleanup_export_far_end)
