/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What is to be sent of one disk, from a source to its target, window by
 * window: at the end of each all that was sent is durable, and a later run need
 * not send it again.  With ->pending->to_send, this run need not even read it
 * again: it is taken out of there.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "ship/ship.h"

struct err;
struct pending;
struct target;
struct target_disk;

struct transfer {
	struct target *target;
	struct target_disk *disk; /* begun */
	struct pending *pending;
	struct ship_source *source;
	uint64_t window_bytes; /* of the first window; 0: as is best */
	/* Callbacks, and what else is the caller's; ->map and the window are
	 * not. ->examine is for a mirror; an image has its sieve. */
	struct ship_job job;
	/* Asked with job.opaque between two windows, may be NULL: true ends it
	 * there. */
	bool (*enough)(void *opaque);
};

/* Counts of all windows are in @ret_counts, also after a failure. -EAGAIN: it
 * was enough, and there is more to send. */
int transfer_run(const struct transfer *transfer,
		 struct ship_counts *ret_counts, struct err *err);
