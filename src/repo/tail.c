/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A ring: a run that ships more than fits keeps the last ones.  Looking a
 * block up is linear, which is 4,096 comparisons for each of 4,096 blocks,
 * once a run: less than reading one of them.
 */
#include "repo/tail.h"

#include <errno.h>
#include <string.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

static void sum_of(const uint8_t *data, size_t size_bytes, uint8_t ret_sum[16])
{
	XXH128_canonical_t canonical;

	XXH128_canonicalFromHash(&canonical, XXH3_128bits(data, size_bytes));
	memcpy(ret_sum, canonical.digest, sizeof(canonical.digest));
}

static int add(struct tail *tail, const struct tail_entry *entry)
{
	if (!tail->entries)
		tail->entries = calloc(TAIL_MAX, sizeof(*tail->entries));
	if (!tail->entries)
		return -ENOMEM;
	if (tail->nr_entries < TAIL_MAX) {
		tail->entries[tail->nr_entries++] = *entry;
		return 0;
	}
	tail->entries[tail->oldest] = *entry;
	tail->oldest = (tail->oldest + 1) % TAIL_MAX;
	return 0;
}

int tail_note(struct tail *tail, uint64_t block, const uint8_t *data,
	      size_t size_bytes)
{
	struct tail_entry entry = {.block = block};

	sum_of(data, size_bytes, entry.sum);
	return add(tail, &entry);
}

bool tail_matches(const struct tail *tail, uint64_t block, const uint8_t *data,
		  size_t size_bytes)
{
	uint8_t sum[16];

	for (size_t i = 0; i < tail->nr_entries; i++) {
		if (tail->entries[i].block != block)
			continue;
		sum_of(data, size_bytes, sum);
		return memcmp(sum, tail->entries[i].sum, sizeof(sum)) == 0;
	}
	return true;
}

int tail_extend(struct tail *tail, const struct tail *older,
		const struct bitmap *shipped)
{
	for (size_t i = 0; i < older->nr_entries; i++) {
		const struct tail_entry *entry = &older->entries[i];

		if (tail->nr_entries == TAIL_MAX)
			return 0;
		if (entry->block < shipped->nr_blocks &&
		    !bitmap_test(shipped, entry->block) && add(tail, entry) < 0)
			return -ENOMEM;
	}
	return 0;
}

void tail_mark(const struct tail *tail, const struct bitmap *pending,
	       struct bitmap *map)
{
	for (size_t i = 0; i < tail->nr_entries; i++) {
		uint64_t block = tail->entries[i].block;

		if (block < map->nr_blocks && !bitmap_test(pending, block))
			bitmap_set(map, block, 1);
	}
}

void tail_free(struct tail *tail)
{
	free(tail->entries);
	*tail = (struct tail){0};
}
