/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * XXH3 with a secret that was derived from a seed once: with a seed alone it
 * would derive it anew for each block.
 */
#include "repo/sum.h"

#include <string.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "base/zero.h"

_Static_assert(sizeof(((struct sum_key *)0)->secret) == XXH_SECRET_DEFAULT_SIZE,
	       "XXH3 makes secrets of another size");

void sum_key_init(struct sum_key *key, const char *repo_id)
{
	key->seed = XXH64(repo_id, strlen(repo_id), 0);
	XXH3_generateSecret_fromSeed(key->secret, key->seed);
}

struct sum sum_of(const struct sum_key *key, const uint8_t *data,
		  size_t size_bytes)
{
	struct sum sum = {.kind = SUM_ZERO};
	XXH128_canonical_t canonical;

	if (is_zero(data, size_bytes))
		return sum;
	sum.kind = SUM_DATA;
	XXH128_canonicalFromHash(
		&canonical,
		XXH3_128bits_withSecretandSeed(data, size_bytes, key->secret,
					       sizeof(key->secret), key->seed));
	memcpy(sum.bytes, canonical.digest, sizeof(sum.bytes));
	return sum;
}

struct sum sum_at(const struct sum_key *key, const uint8_t *data,
		  uint64_t size_bytes, uint64_t block)
{
	if (!data)
		return (struct sum){.kind = SUM_ZERO};
	return sum_of(key, data, sum_block_bytes(size_bytes, block));
}

bool sum_equal(const struct sum *a, const struct sum *b)
{
	if (a->kind != b->kind)
		return false;
	return a->kind == SUM_ZERO ||
	       (a->kind == SUM_DATA &&
		memcmp(a->bytes, b->bytes, sizeof(a->bytes)) == 0);
}

uint64_t sum_count(uint64_t size_bytes)
{
	return size_bytes / SUM_BLOCK_BYTES +
	       (size_bytes % SUM_BLOCK_BYTES != 0);
}

size_t sum_block_bytes(uint64_t size_bytes, uint64_t block)
{
	uint64_t left = size_bytes - block * SUM_BLOCK_BYTES;

	return left < SUM_BLOCK_BYTES ? left : SUM_BLOCK_BYTES;
}
