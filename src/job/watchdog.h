/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The watchdog: a process that undoes what the tool holds of a guest when
 * the tool cannot.
 *
 *	tool                             watchdog
 *	 ├─ start ──────────────────────▶ own session and control group
 *	 ├─ FREEZE ─────────────────────▶ deadline for the thaw runs
 *	 │    domfsfreeze
 *	 ├─ SUSPEND ────────────────────▶ deadline for the resume runs
 *	 │    suspend, epoch_begin, resume of every disk
 *	 ├─ RESUMED ────────────────────▶
 *	 │    domfsthaw
 *	 ├─ THAWED ─────────────────────▶ no deadline any more
 *	 │   (or HAND_OVER ─────────────▶ thaws by itself, however long it
 *takes) │    ship, commit, tear down └─ end ────────────────────────▶ exits,
 *nothing to do
 *
 * A domain that moves stands still from PAUSE to WENT_ON, on this host or on
 *the other one: there the watchdog finds out which it is, and has it go on
 * (settle.h).
 *
 * The steps are single bytes on a pipe.  When the pipe closes without the
 * end, or a deadline passes, the watchdog kills the tool, resumes every disk,
 * thaws the guest and takes down the devices if nobody else uses them.
 *
 * It is another program image (the tool runs itself again), because a
 * process that has talked to libvirt has threads and cannot simply fork; it
 * leaves the caller's control group, because systemd kills a unit whole; and
 * it locks its memory, because a suspended disk may be the one that the
 * host's own pages come from.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct err;
struct stack_disk;

enum watchdog_step {
	WATCHDOG_FREEZE = 'F',
	WATCHDOG_SUSPEND = 'S',
	WATCHDOG_RESUMED = 'R',
	WATCHDOG_THAWED = 'T',
	WATCHDOG_HAND_OVER = 'H',
	WATCHDOG_PAUSE = 'P',
	WATCHDOG_WENT_ON = 'W',
	WATCHDOG_END = 'E',
};

struct watchdog_plan {
	const char *connect;     /* libvirt URI, NULL: default */
	const char *domain_uuid; /* whom to thaw */
	const struct stack_disk *disks;
	size_t nr_disks;
	unsigned int freeze_deadline_ms;  /* from FREEZE to THAWED */
	unsigned int suspend_deadline_ms; /* from SUSPEND to RESUMED */
	unsigned int pause_deadline_ms;   /* from PAUSE to WENT_ON */
};

struct watchdog {
	int fd; /* -1: not running */
	pid_t pid;
	bool handed_over; /* it has its own work, do not wait for it */
};

/* Starts one and waits until it is ready to act. */
int watchdog_start(const struct watchdog_plan *plan,
		   struct watchdog *ret_watchdog, struct err *err);

/*
 * Announces a step, before it is taken (FREEZE, SUSPEND, PAUSE) or after
 * (RESUMED, THAWED, WENT_ON). Allocates nothing and does not block. -EPIPE:
 * there is no watchdog any more, so the step must not be taken.
 */
int watchdog_step(struct watchdog *watchdog, enum watchdog_step step);

/* What there is to undo is left to it: it begins when this process has ended. */
void watchdog_leave(struct watchdog *watchdog);

/*
 * All is done: ends the watchdog and waits for it, unless a thaw was handed
 * over to it.
 */
void watchdog_end(struct watchdog *watchdog);

/*
 * The watchdog's own main function, run by the hidden command of this name.
 * @argv is what watchdog_start() made. Returns when there is nothing left to
 * undo, or everything was tried.
 */
int watchdog_main(int argc, char **argv);

#define WATCHDOG_COMMAND "watchdog"
