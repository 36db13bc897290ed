/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a META_DEV has on disk, and what the module will make of it.  Reads
 * only: a device or an image of one, with or without the module.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/uuid.h"
#include "dm/tracker.h"

struct err;

#define METADATA_COPIES 2
#define METADATA_BLANK_BYTES (1 << 20) /* the module formats what has these 0 */

struct metadata_copy {
	const char *found; /* "sound", "damaged", "unreadable", ... */
	uint64_t sequence; /* of a sound one */
};

struct metadata {
	/* always */
	struct metadata_copy copies[METADATA_COPIES];
	const char *found; /* "sound", else what is there instead */

	/* as the superblock has it */
	int copy; /* the one that counts */
	unsigned int version;
	char uuid[UUID_SIZE];
	uint64_t size_sectors, nr_blocks;
	unsigned int block_sectors, region_sectors, active_regions;
	bool clean_shutdown;
	char epoch[UUID_SIZE], previous[UUID_SIZE], open[UUID_SIZE];

	/* what comes of it */
	enum tracker_state state;
	const char *why;
	uint64_t dirty_at_load;  /* blocks */
	unsigned int nr_damaged; /* sectors */
	bool counted;            /* false: lost, and what follows is void */
	uint64_t dirty, frozen;  /* blocks on disk */
	unsigned int nr_regions; /* in the intents, if these count */
	uint64_t suspect;        /* blocks of those */
};

/*
 * Reads @path. Without a sound superblock the error says what was found, and
 * only the first part of @ret_metadata is filled in.
 */
int metadata_read(const char *path, struct metadata *ret_metadata,
		  struct err *err);

/* How large a META_DEV must be for a disk of that size, with the default
 * options. */
uint64_t metadata_needs_bytes(uint64_t data_sectors,
			      unsigned int block_sectors);
