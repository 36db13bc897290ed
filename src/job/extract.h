/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Extracting: the blocks of a disk that a copy of it misses, as a stream (see
 * stream.h).
 *
 * A pipe has no way back, so nobody here knows whether they ever arrive.  Of a
 * tracked disk there is therefore one more pending set, filed under the name
 * EXTRACT_TARGET as that of any other target: a stream has all that is in it,
 * and leaves all of it there.  What takes it out is the stream's id, which is
 * the epoch that it was cut at, and which merge says when the stream is whole
 * and durable where it went.
 *
 *	extract ── stream, id inside ──▶ merge ── id ──▶ extract --done=id
 *
 * A cut by anybody else in between adds to the set; the id is then of no use
 * any more, and what was sent is sent again.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "ship/ship.h"

struct bitmap;
struct err;
struct ui;

#define EXTRACT_TARGET "extract"

struct extract_report {
	uint64_t data_bytes, zero_bytes;
	bool resynced; /* tracking was lost: exit code 4 */
	uint64_t spent_ms;
};

/* What has no tracker of ours. */
struct extract_source_request {
	int fd;               /* where the stream goes */
	const char *source;   /* file, block device or NBD URI */
	uint32_t block_bytes; /* of the map */
	/*
	 * Makes the map of a source of @size_bytes, freed by
	 * extract_source(). NULL: all blocks.
	 */
	int (*make_map)(void *opaque, uint64_t size_bytes,
			struct bitmap **ret_map, struct err *err);
	void *opaque;
};

int extract_source(const struct extract_source_request *request,
		   struct extract_report *ret_report, struct ui *ui,
		   struct err *err);

struct extract_disk_request {
	int fd;
	const char *connect; /* libvirt URI, NULL: default */
	const char *device;  /* dsync-DOMAIN-TARGET */
	bool all;            /* whatever the copy has already */
};

/*
 * Takes a cut of the disk and extracts what is pending. -EOPNOTSUPP: the disk
 * is not tracked; -EBUSY: another run has its domain. After a failure nothing
 * that was pending is forgotten.
 */
int extract_disk(const struct extract_disk_request *request,
		 struct extract_report *ret_report, struct ui *ui,
		 struct err *err);

/*
 * The stream @id of the disk is durable where it went: forgets its blocks.
 * Repeating succeeds. -ESTALE: another cut was taken since.
 */
int extract_done(const char *connect, const char *device, const char *id,
		 struct err *err);

/* ------------------------------------------------- for extract*.c alone */

struct extraction {
	int fd;
	const char *label; /* of the progress line */
	const char *id;
	const struct bitmap *map; /* NULL: all blocks */
	uint32_t block_bytes;
	bool whole; /* the map has all blocks */
	ship_cancel cancelled;
	/* These blocks are in the pipe, and now and then; may be NULL. */
	void (*sent)(void *opaque, uint64_t first_block, uint64_t count);
	void (*progress)(void *opaque);
	void *opaque;
};

/* Sends one stream, whole. */
int extract_stream(const struct extraction *extraction,
		   struct ship_source *source,
		   struct extract_report *ret_report, struct ui *ui,
		   struct err *err);
