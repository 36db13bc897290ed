/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What is pending of one disk, from a source to its target, window by window:
 * at the end of each all that was sent is durable, and a later run need not
 * send it again.
 */
#pragma once

#include <stdint.h>

#include "ship/ship.h"

struct err;
struct pending;
struct target;
struct target_disk;

struct transfer {
	struct target *target;
	struct target_disk *disk; /* begun */
	const struct pending *pending;
	struct ship_source *source;
	uint64_t window_bytes; /* of the first window; 0: as is best */
	/* Callbacks, and what else is the caller's; ->map and the window are
	 * not. ->examine is for a mirror; an image has its sieve. */
	struct ship_job job;
};

/* Counts of all windows are in @ret_counts, also after a failure. */
int transfer_run(const struct transfer *transfer,
		 struct ship_counts *ret_counts, struct err *err);
