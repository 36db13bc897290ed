/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The tail: sums of the blocks that were shipped last, at most TAIL_MAX.
 *
 * A mirror has no room for an id.  What it must still hold if it is the one we
 * left is the content shipped last, so that is compared before the next run:
 * another image behind the same URI is noticed, whatever its size.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bitmap.h"

#define TAIL_MAX 4096

struct tail_entry {
	uint64_t block;
	uint8_t sum[16]; /* XXH3-128 of the block, canonical byte order */
};

struct tail {
	struct tail_entry *entries;
	size_t nr_entries;
	size_t oldest; /* once full, the one to be replaced next */
};

/* Notes that @block was shipped with this content. -ENOMEM. */
int tail_note(struct tail *tail, uint64_t block, const uint8_t *data,
	      size_t size_bytes);

/* False if @block is in the tail with another content. */
bool tail_matches(const struct tail *tail, uint64_t block, const uint8_t *data,
		  size_t size_bytes);

/*
 * Adds the entries of @older to the tail as far as there is room and their
 * blocks are not in @shipped. -ENOMEM.
 */
int tail_extend(struct tail *tail, const struct tail *older,
		const struct bitmap *shipped);

/* Marks in @map the blocks of the tail that are not in @pending. */
void tail_mark(const struct tail *tail, const struct bitmap *pending,
	       struct bitmap *map);

void tail_free(struct tail *tail);
