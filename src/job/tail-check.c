/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The pipeline without a destination is the reader: many requests in flight. */
#include "job/tail-check.h"

#include "base/err.h"
#include "repo/pending.h"

#define STALL_MS 60000

struct comparison {
	const struct pending *pending;
	bool matches;
};

static size_t block_size(uint64_t block, uint32_t block_bytes,
			 uint64_t size_bytes)
{
	uint64_t left = size_bytes - block * block_bytes;

	return left < block_bytes ? left : block_bytes;
}

/* A tail knows blocks, ship.h units; what is examined is whole blocks. */
static uint64_t blocks_of(uint64_t units, uint32_t block_bytes)
{
	uint32_t per_block = block_bytes / SHIP_UNIT_BYTES;

	return (units + per_block - 1) / per_block;
}

static int compare(void *opaque, uint64_t first_unit, uint64_t nr_units,
		   const uint8_t *data, bool skip[], struct err *err)
{
	static const uint8_t zeroes[1 << 20];
	struct comparison *comparison = opaque;
	const struct pending *pending = comparison->pending;
	uint64_t first = blocks_of(first_unit, pending->block_bytes);
	uint64_t count = blocks_of(nr_units, pending->block_bytes);

	for (uint64_t i = 0; i < count; i++) {
		const uint8_t *at = data ? data + i * pending->block_bytes
					 : zeroes;

		if (!tail_matches(&pending->tail, first + i, at,
				  block_size(first + i, pending->block_bytes,
					     pending->size_bytes)))
			comparison->matches = false;
	}
	return 0;
}

static void leave_out(struct bitmap *map, const struct bitmap *changed)
{
	uint64_t first = 0, count;

	while ((count = bitmap_next_run(changed, first, 0, &first))) {
		bitmap_clear(map, first, count);
		first += count;
	}
}

int tail_check(struct ship_source *source, const struct pending *pending,
	       const struct bitmap *changed, ship_cancel cancelled,
	       bool *ret_matches, struct err *err)
{
	_cleanup_bitmap_ struct bitmap *map =
		bitmap_new(pending->map->nr_blocks);
	struct comparison comparison = {.pending = pending, .matches = true};
	struct ship_counts counts;
	const struct ship_job job = {
		.map = map,
		.block_bytes = pending->block_bytes,
		.stall_ms = STALL_MS,
		.cancelled = cancelled,
		.opaque = &comparison,
		.examine = compare,
	};
	int r;

	if (!map)
		return fail(err, -ENOMEM, "out of memory");
	tail_mark(&pending->tail, pending->map, map);
	if (changed && changed->nr_blocks == map->nr_blocks)
		leave_out(map, changed);
	if (ship_source_size_bytes(source) != pending->size_bytes)
		return fail(err, -ESTALE,
			    "%s: an image of another size: %llu bytes instead "
			    "of %llu",
			    pending->location,
			    (unsigned long long)ship_source_size_bytes(source),
			    (unsigned long long)pending->size_bytes);
	r = ship_run(source, NULL, &job, &counts, err);
	*ret_matches = comparison.matches;
	return r;
}

int tail_record(struct tail_recorder *recorder, uint64_t first_unit,
		uint64_t nr_units, const uint8_t *data, struct err *err)
{
	static const uint8_t zeroes[1 << 20];
	uint64_t first = blocks_of(first_unit, recorder->block_bytes);
	uint64_t count = blocks_of(nr_units, recorder->block_bytes);
	/* Of a longer range only the end can be in the tail. */
	uint64_t i = count > TAIL_MAX ? count - TAIL_MAX : 0;

	for (; i < count; i++) {
		const uint8_t *at = data ? data + i * recorder->block_bytes
					 : zeroes;

		if (tail_note(&recorder->tail, first + i, at,
			      block_size(first + i, recorder->block_bytes,
					 recorder->size_bytes)) < 0)
			return fail(err, -ENOMEM, "out of memory");
	}
	return 0;
}
