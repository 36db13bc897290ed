/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a block of 4 KiB contains, in 17 bytes: nothing but zeroes, or data
 * with this XXH3-128.
 *
 * A block whose sum is known to the target is not sent, so two contents with
 * one sum would be a lost block.  XXH3 is no cryptographic hash: who knows its
 * seed can make such contents.  A guest does not know ours; it is drawn from
 * the id of the repository, which no guest ever sees.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Sums are of 4 KiB whatever a tracker calls a block: that is what an image
 * stores separately.  The last block of a disk may be short.
 */
#define SUM_BLOCK_BYTES 4096u
#define SUM_BYTES 16

enum sum_kind {
	SUM_UNKNOWN, /* nothing is known */
	SUM_ZERO,
	SUM_DATA,
	SUM_LOST, /* the image has it, but nobody knows what */
};

struct sum {
	uint8_t kind;             /* enum sum_kind */
	uint8_t bytes[SUM_BYTES]; /* of SUM_DATA, canonical byte order */
};

/* What makes one repository's sums differ from another's. */
struct sum_key {
	uint64_t seed;
	uint8_t secret[192];
};

void sum_key_init(struct sum_key *key, const char *repo_id);

/* The sum of one block, @size_bytes being SUM_BLOCK_BYTES or what a disk's
 * last block has. */
struct sum sum_of(const struct sum_key *key, const uint8_t *data,
		  size_t size_bytes);

/* The same of block @block of a disk of @size_bytes; without @data it is zero. */
struct sum sum_at(const struct sum_key *key, const uint8_t *data,
		  uint64_t size_bytes, uint64_t block);

/* True if it is known what both are, and it is the same. */
bool sum_equal(const struct sum *a, const struct sum *b);

/* Blocks of a disk of @size_bytes, and bytes of its block @block. */
uint64_t sum_count(uint64_t size_bytes);
size_t sum_block_bytes(uint64_t size_bytes, uint64_t block);
