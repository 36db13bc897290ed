/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One run at a time takes cuts of a domain: whoever has the turn.  Another one
 * is refused, or waits; and a run that takes long gives its turn away at times
 * if somebody waits, so that a first full backup to one target does not stand
 * in the way of the hourly one to another.
 */
#pragma once

#include <stdbool.h>

#include "ship/ship.h"

struct err;
struct ui;

/* How long to wait for the turn. */
struct turn_wait {
	unsigned int wait_s; /* 0: not at all */
	const char *target;  /* what for */
	ship_cancel cancelled;
	struct ui *ui; /* says that it waits */
};

/*
 * Takes the turn of the domain @uuid, called @name; @wait may be NULL: does not
 * wait, and has no target. Returns a file descriptor;
 * closing it gives the turn away. -EBUSY: another run has it, still.
 */
int turn_take(const char *uuid, const char *name, const struct turn_wait *wait,
	      struct err *err);

/* True if another run waits for it, of another target: one of the same could do
 * nothing with it, as its target is kept. */
bool turn_is_wanted(const char *uuid);
