/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How sets of blocks and their sums go over a channel: numbers of 7 bits a
 * byte, the lowest first, the last one without the high bit.
 *
 *	a set of blocks    gap, count, for each run
 *	sums               gap, count, a kind for each column, for each run of
 *	                   one kind; then 16 bytes for each block and column
 *	                   whose kind is data
 *
 * A gap counts from the end of the run before.  There is one column for what
 * a run writes down, and two for what is known (ledger.h): sent, and under.
 *
 * What is read may come from anywhere: every reader knows how far it may go.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "repo/sum.h"

struct bitmap;
struct err;

struct far_bytes {
	uint8_t *data; /* free() it */
	size_t used, room;
};

void far_bytes_clear(struct far_bytes *bytes);
#define _cleanup_far_bytes_ _cleanup_(far_bytes_clear)

/* Appends. -ENOMEM. */
int far_put_bytes(struct far_bytes *to, const void *data, size_t size_bytes,
		  struct err *err);

/* The set of @map's blocks. */
int far_put_map(struct far_bytes *to, const struct bitmap *map,
		struct err *err);
/* Adds the set to @map. -EPROTO: it is none, or goes beyond it. */
int far_get_map(const uint8_t *data, size_t size_bytes, struct bitmap *map,
		struct err *err);

#define FAR_MAX_COLUMNS 2

/* Sums on their way out. */
struct far_sums_out {
	struct far_bytes bytes;
	unsigned int nr_columns;
	uint64_t at; /* the block behind the last run */
};

/*
 * Appends blocks [first, first + count), behind all that came before; those
 * of which no column knows anything are left out.
 */
int far_put_sums(struct far_sums_out *to, uint64_t first, uint64_t count,
		 const struct sum *const columns[], struct err *err);

/* Sums on their way in, run by run. */
struct far_sums_in {
	const uint8_t *data; /* the rest of it */
	size_t size_bytes;
	unsigned int nr_columns;
	uint64_t nr_blocks; /* of the disk */
	uint64_t at;        /* the block behind the last run */
	/* the run that is being read */
	uint64_t left;
	uint8_t kinds[FAR_MAX_COLUMNS];
};

/* 1: the next block that is said anything about is @ret_at; 0: none is. */
int far_peek_sums(struct far_sums_in *from, uint64_t *ret_at, struct err *err);

/*
 * The next blocks that are said anything about, at most @max of them, from
 * one run. Fills columns[i][0..]; returns their number, 0 at the end. -EPROTO:
 * it is nonsense.
 */
int64_t far_get_sums(struct far_sums_in *from, uint64_t max,
		     uint64_t *ret_first, struct sum *const columns[],
		     struct err *err);
