/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A dsync device as its user sees it: state, epochs, sets of changed blocks.
 * The words and their order are those of DESIGN.md, "Kernel module".
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/bitmap.h"
#include "base/name.h"

struct err;

#define TRACKER_BLOCK_SECTORS 8 /* of the tables we make: 4 KiB */

enum tracker_state {
	TRACKER_CLEAN,     /* tracked without a gap */
	TRACKER_RECOVERED, /* after an unclean stop: some more is dirty */
	TRACKER_DEGRADED,  /* metadata failing, in RAM only */
	TRACKER_LOST,      /* everything is dirty */
	TRACKER_UNTRACKED, /* dm-linear: there is no tracker */
};

enum tracker_hold {
	TRACKER_HOLD_NONE,
	TRACKER_HOLD_READY,
	TRACKER_HOLD_ARMED,
	TRACKER_HOLD_INVALID,
};

struct tracker_status {
	enum tracker_state state;
	uint64_t size_sectors; /* of the device */
	uint32_t block_sectors;
	uint64_t nr_blocks;
	uint64_t dirty, frozen, suspect; /* blocks */
	char epoch[UUID_SIZE];           /* "" before the first */
	char open[UUID_SIZE];            /* the open epoch, "" if none */
	char uuid[UUID_SIZE];            /* of the metadata; "": in RAM only */
	enum tracker_hold hold;
	uint64_t suspends;
	/* Counters: zero where this module does not have them. */
	uint64_t intent_commits, metadata_writes;
	uint64_t hold_copies, hold_used, hold_size;
};

/* The word that `dmsetup status` shows: "clean", ...; "untracked". */
const char *tracker_state_name(enum tracker_state state);

/* Reads the part of a status line that follows the word dsync. */
int tracker_status_parse(const char *params, struct tracker_status *ret_status,
			 struct err *err);

/* State of device @name; dm-linear is untracked, another target -EINVAL. */
int tracker_status(const char *name, struct tracker_status *ret_status,
		   struct err *err);

/* Forgets the frozen set: it has arrived. Repeating succeeds. */
int tracker_epoch_end(const char *name, const char *epoch, struct err *err);
/* Takes the frozen set back into dirty. Repeating succeeds. */
int tracker_epoch_abort(const char *name, const char *epoch, struct err *err);
/* Blocks that a hold is to show from the next cut on, beside the frozen ones. */
int tracker_seed(const char *name, const struct bitmap *seed, struct err *err);
/* Writes the bitmap out. -EAGAIN: gave way to a suspend. */
int tracker_flush(const char *name, struct err *err);
enum tracker_map { TRACKER_MAP_DIRTY, TRACKER_MAP_FROZEN };

/* A copy of the set; the caller frees it. */
int tracker_read_map(const char *name, enum tracker_map which,
		     struct bitmap **ret_map, struct err *err);
