/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Scanning goes by 64-bit words: a map of 1 TiB in 4 KiB blocks has four
 * million of them, and most are zero.
 */
#include "base/bitmap.h"

#include <assert.h>
#include <endian.h>
#include <string.h>

static uint64_t word(const struct bitmap *map, uint64_t index)
{
	uint64_t value;

	memcpy(&value, map->bits + index * 8, sizeof(value));
	return le64toh(value);
}

struct bitmap *bitmap_new(uint64_t nr_blocks)
{
	_cleanup_free_ struct bitmap *map = calloc(1, sizeof(*map));

	if (!map)
		return NULL;
	map->nr_blocks = nr_blocks;
	map->size_bytes = (nr_blocks + 63) / 64 * 8;
	map->bits = calloc(1, map->size_bytes ? map->size_bytes : 8);
	if (!map->bits)
		return NULL;
	return TAKE_PTR(map);
}

void bitmap_free(struct bitmap *map)
{
	if (!map)
		return;
	free(map->bits);
	free(map);
}

bool bitmap_test(const struct bitmap *map, uint64_t block)
{
	assert(block < map->nr_blocks);
	return map->bits[block / 8] >> (block % 8) & 1;
}

static void change(struct bitmap *map, uint64_t first, uint64_t count, bool set)
{
	uint64_t block = first, end = first + count;

	assert(first <= map->nr_blocks && count <= map->nr_blocks - first);
	while (block < end) {
		if (block % 8 == 0 && end - block >= 8) {
			size_t bytes = (end - block) / 8;

			memset(map->bits + block / 8, set ? 0xff : 0, bytes);
			block += bytes * 8;
			continue;
		}
		if (set)
			map->bits[block / 8] |= 1u << (block % 8);
		else
			map->bits[block / 8] &= ~(1u << (block % 8));
		block++;
	}
}

void bitmap_set(struct bitmap *map, uint64_t first, uint64_t count)
{
	change(map, first, count, true);
}

void bitmap_clear(struct bitmap *map, uint64_t first, uint64_t count)
{
	change(map, first, count, false);
}

void bitmap_fill(struct bitmap *map)
{
	bitmap_set(map, 0, map->nr_blocks);
}

void bitmap_mask_tail(struct bitmap *map)
{
	for (uint64_t block = map->nr_blocks; block < map->size_bytes * 8;
	     block++)
		map->bits[block / 8] &= ~(1u << (block % 8));
}

void bitmap_or(struct bitmap *map, const struct bitmap *other)
{
	assert(map->nr_blocks == other->nr_blocks);
	for (size_t i = 0; i < map->size_bytes; i++)
		map->bits[i] |= other->bits[i];
}

bool bitmap_covers(const struct bitmap *map, const struct bitmap *other)
{
	assert(map->nr_blocks == other->nr_blocks);
	for (size_t i = 0; i < map->size_bytes; i++)
		if (other->bits[i] & ~map->bits[i])
			return false;
	return true;
}

uint64_t bitmap_count(const struct bitmap *map)
{
	uint64_t count = 0;

	for (uint64_t i = 0; i < map->size_bytes / 8; i++)
		count += __builtin_popcountll(word(map, i));
	return count;
}

/* The first block at or after @from whose bit is @set, or nr_blocks. */
static uint64_t find(const struct bitmap *map, uint64_t from, bool set)
{
	uint64_t invert = set ? 0 : ~UINT64_C(0);
	uint64_t nr_words = map->size_bytes / 8;

	if (from >= map->nr_blocks)
		return map->nr_blocks;
	for (uint64_t i = from / 64; i < nr_words; i++) {
		uint64_t value = word(map, i) ^ invert;
		uint64_t block;

		if (i == from / 64)
			value &= ~UINT64_C(0) << (from % 64);
		if (!value)
			continue;
		block = i * 64 + __builtin_ctzll(value);
		return block < map->nr_blocks ? block : map->nr_blocks;
	}
	return map->nr_blocks;
}

uint64_t bitmap_next_run(const struct bitmap *map, uint64_t from, uint64_t max,
			 uint64_t *ret_first)
{
	uint64_t first = find(map, from, true), end;

	if (first == map->nr_blocks)
		return 0;
	end = find(map, first, false);
	*ret_first = first;
	if (max && end - first > max)
		return max;
	return end - first;
}
