/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A set of block numbers, one bit each, in the byte order of the kernel's
 * /proc files: bit i of the set is bit i%8 of byte i/8.  So a map read from
 * the kernel, stored in a file or sent to another host is the same bytes
 * everywhere.  Bits past nr_blocks are always zero.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct bitmap {
	uint64_t nr_blocks;
	size_t size_bytes; /* of bits: nr_blocks / 8, rounded up to 8 */
	uint8_t *bits;
};

/* An empty set of @nr_blocks blocks. NULL when out of memory. */
struct bitmap *bitmap_new(uint64_t nr_blocks);
void bitmap_free(struct bitmap *map);
#include "base/cleanup.h"
DEFINE_CLEANUP(struct bitmap *, bitmap_free);
#define _cleanup_bitmap_ _cleanup_(cleanup_bitmap_free)

/* Bytes that @nr_blocks bits take in a file or in /proc. */
static inline size_t bitmap_file_bytes(uint64_t nr_blocks)
{
	return (nr_blocks + 7) / 8;
}

bool bitmap_test(const struct bitmap *map, uint64_t block);
/* Sets [first, first + count), which must lie inside the set. */
void bitmap_set(struct bitmap *map, uint64_t first, uint64_t count);
void bitmap_clear(struct bitmap *map, uint64_t first, uint64_t count);
void bitmap_fill(struct bitmap *map);
/* Zeroes the bits past nr_blocks, after bits was filled from outside. */
void bitmap_mask_tail(struct bitmap *map);
/* @map |= @other; both of one size. */
void bitmap_or(struct bitmap *map, const struct bitmap *other);
/* True if @map has all of @other; both of one size. */
bool bitmap_covers(const struct bitmap *map, const struct bitmap *other);
uint64_t bitmap_count(const struct bitmap *map);

/*
 * Finds the next run of set bits at or after @from, at most @max long
 * (0: unlimited). Returns its length, 0 when there is none.
 */
uint64_t bitmap_next_run(const struct bitmap *map, uint64_t from, uint64_t max,
			 uint64_t *ret_first);
