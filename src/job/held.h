/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The disks of a domain held as they were at one instant, however long it
 * takes to read them while the guest goes on.
 *
 *	held_watch()	the watchdog, before anything needs one
 *	held_hold()	a hold on each disk, and what it is to show
 *	held_settle()	what is cached is written out, states are read
 *	held_cut()	the instant; from now on an epoch is open on every disk
 *	held_record()	what it froze, unless the epochs are to be aborted
 *	held_done()	with what was read, so that only the rest needs room
 *	held_abort()	unless the epochs were ended
 *	held_end()
 *
 * Whoever is killed in between leaves epochs open: the next session aborts
 * them, as the module does after a crash, and what they had frozen is dirty
 * again.  So a cut alone loses nothing, and consumes nothing.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "dm/hold.h"
#include "job/instant.h"
#include "job/watchdog.h"

struct bitmap;
struct err;
struct pending;
struct session;
struct ui;

/* Blocks of one disk that need not be held any more, and still are. */
struct held_release {
	const char *device;
	struct hold_range ranges[HOLD_MAX_RANGES];
	size_t nr_ranges;
};

struct held_disk {
	char name[DISK_NAME_SIZE]; /* of the hold's device; "": none */
	struct held_release release;
};

/* The first three are the caller's, the others zero to begin with. */
struct held {
	struct session *session;
	struct ui *ui;
	const char *until;        /* "sent": is let go then; for messages */
	struct watchdog watchdog; /* begins with ->fd -1 */
	struct instant instant;
	bool epoch_open;         /* on every disk */
	struct held_disk *disks; /* one for each, NULL: nothing is held */
};

/* Starts the watchdog, which the caller ends when all else is over. */
int held_watch(struct held *held, const struct instant_request *request,
	       struct err *err);

/* Makes the hold of the session's disk @i: of @seed, and what the coming cut
 * freezes. */
int held_hold(struct held *held, size_t i, const struct bitmap *seed,
	      struct err *err);

/* Has little left to do for the cut, refreshes the session, and says what is to
 * be said of its trackers. */
int held_settle(struct held *held, struct err *err);

/* Takes the instant. After a failure no epoch is open. */
int held_cut(struct held *held, const struct instant_request *request,
	     struct err *err);

/* Adds what the cut froze of the disk @i to the set of every target, durably;
 * *@pending, that of @target_id, is loaded anew. */
int held_record(struct held *held, size_t i, const char *target_id,
		struct pending **pending, struct err *err);

/* Where the disk @i can be read: its hold, or itself if nothing is held. The
 * caller frees it; NULL: out of memory. */
char *held_path(const struct held *held, size_t i);

/* These blocks of a disk need not be held any more... */
void held_done(struct held_release *release, uint64_t first, uint64_t count);
/* ...and are let go now. */
void held_let_go(struct held_release *release);

/* True if a hold is lost: then @err says why, and how not to lose the next. */
bool held_is_lost(const struct held *held, struct err *err);

/* How much had to be kept of the disk @i, which is done. Says if that was
 * nearly too much. */
uint64_t held_kept_bytes(const struct held *held, size_t i);

/* The frozen sets go back to where the next cut finds them, if epochs are
 * open. */
void held_abort(struct held *held);

/* Removes the holds, if there are any. */
void held_end(struct held *held);
