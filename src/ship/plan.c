/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Neighbours in the map become one request of up to 1 MiB: seven times the
 * throughput of single blocks, and longer ones are slower again (a source may
 * want still less).  Runs longer than that are cut at multiples of 1 MiB, where
 * the clusters of every image format end as well.  Gaps are never bridged: what
 * the map does not name is not written.
 */
#include "ship/plan.h"

#include "base/bitmap.h"
#include "base/err.h"
#include "ship/dest.h"
#include "ship/pace.h"
#include "ship/source.h"

static uint64_t min(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

static uint64_t max(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

static int check_sizes(const struct plan *plan, const struct ship_dest *dest,
		       struct err *err)
{
	uint64_t size = plan->source->size_bytes;
	const struct bitmap *map = plan->job->map;

	if (dest && dest->link.size_bytes != size)
		return fail(err, -ESTALE,
			    "%s: image of another size: %llu bytes, but %s "
			    "has %llu",
			    dest->link.name,
			    (unsigned long long)dest->link.size_bytes,
			    plan->source->name, (unsigned long long)size);
	if (map && map->nr_blocks != plan->nr_disk_blocks)
		return fail(err, -EINVAL,
			    "the map has %llu blocks, but %s has %llu of "
			    "%u bytes",
			    (unsigned long long)map->nr_blocks,
			    plan->source->name,
			    (unsigned long long)plan->nr_disk_blocks,
			    plan->job->block_bytes);
	return 0;
}

static int check_block(struct plan *plan, struct err *err)
{
	uint32_t block = plan->job->block_bytes;

	if (block < SHIP_ALIGN || block > PLAN_MAX_BYTES ||
	    (block & (block - 1)))
		return fail(err, -EINVAL,
			    "block size %u: must be a power of two from %u "
			    "to %u",
			    block, SHIP_ALIGN, PLAN_MAX_BYTES);
	plan->max_bytes = plan->max_bytes / block * block;
	if (plan->max_bytes == 0)
		return fail(err, -EOPNOTSUPP,
			    "the server takes no request as long as a block "
			    "of %u bytes",
			    block);
	return 0;
}

/* A piece that is more than a burst would go at once. */
static void keep_pace(struct plan *plan, const struct pace *pace)
{
	uint32_t block = plan->job->block_bytes;
	uint64_t burst = pace_burst_bytes(pace) / block * block;

	plan->max_bytes = min(plan->max_bytes, burst ? burst : block);
}

int plan_init(struct plan *plan, struct ship_source *source,
	      const struct ship_dest *dest, const struct ship_job *job,
	      struct err *err)
{
	uint64_t size = source->size_bytes;
	uint64_t best = max(source->best_read_bytes, job->block_bytes);
	int r;

	*plan = (struct plan){
		.source = source,
		.job = job,
		.max_bytes =
			min(PLAN_MAX_BYTES, min(source->max_read_bytes, best)),
		.next_block = job->first_block,
	};
	if (dest)
		plan->max_bytes =
			min(plan->max_bytes, dest->link.max_request_bytes);
	r = check_block(plan, err);
	if (r < 0)
		return r;
	if (dest && job->pace)
		keep_pace(plan, job->pace);
	plan->nr_disk_blocks =
		size / job->block_bytes + (size % job->block_bytes != 0);
	plan->end_block = plan->nr_disk_blocks;
	if (job->first_block > plan->end_block ||
	    job->nr_blocks > plan->end_block - job->first_block)
		return fail(err, -EINVAL,
			    "blocks from %llu on: %s has only %llu",
			    (unsigned long long)job->first_block, source->name,
			    (unsigned long long)plan->end_block);
	if (job->nr_blocks)
		plan->end_block = job->first_block + job->nr_blocks;
	/* A server that cannot zero gets zeroes as data, so they are read. */
	plan->use_extents = source->ops->extent &&
			    (!dest || job->dest_is_zero || dest->link.can_zero);
	return check_sizes(plan, dest, err);
}

/* Finds the next run of the map at or after @from; 0: none. */
static uint64_t find_run(const struct plan *plan, uint64_t from,
			 uint64_t *ret_first)
{
	uint64_t count;

	if (from >= plan->end_block)
		return 0;
	if (!plan->job->map) {
		*ret_first = from;
		return plan->end_block - from;
	}
	count = bitmap_next_run(plan->job->map, from, 0, ret_first);
	if (count == 0 || *ret_first >= plan->end_block)
		return 0;
	return min(count, plan->end_block - *ret_first);
}

uint64_t plan_count(const struct plan *plan)
{
	uint64_t from = plan->next_block, count = 0, first, run;

	while ((run = find_run(plan, from, &first)) > 0) {
		count += run;
		from = first + run;
	}
	return count;
}

/* Bytes of [first, first + count), which may end with the disk. */
static uint64_t bytes_of(const struct plan *plan, uint64_t first,
			 uint64_t count)
{
	uint64_t block = plan->job->block_bytes;

	return min(count * block, plan->source->size_bytes - first * block);
}

/* How much of the run to read at once, at most @bytes of one extent. */
static uint64_t blocks_to_read(const struct plan *plan, uint64_t bytes)
{
	uint64_t block = plan->job->block_bytes;
	uint64_t first = plan->run_first;
	uint64_t count =
		min((bytes + block - 1) / block, plan->max_bytes / block);
	uint64_t per_max = PLAN_MAX_BYTES / block;
	uint64_t aligned_end = (first + count) / per_max * per_max;

	if (count >= plan->run_left)
		return plan->run_left;
	return aligned_end > first ? aligned_end - first : count;
}

int plan_peek(struct plan *plan, struct plan_piece *ret_piece)
{
	uint64_t block = plan->job->block_bytes, offset, bytes;
	uint64_t blocks = 0;
	bool zero = false;

	if (plan->run_left == 0) {
		plan->run_left =
			find_run(plan, plan->next_block, &plan->run_first);
		if (plan->run_left == 0)
			return 0;
		plan->next_block = plan->run_first + plan->run_left;
	}
	offset = plan->run_first * block;
	bytes = bytes_of(plan, plan->run_first,
			 min(plan->run_left, SHIP_EXAMINE_BYTES / block));
	if (plan->use_extents) {
		uint64_t whole = bytes;

		if (plan->source->ops->extent(plan->source, offset, whole,
					      &bytes, &zero) < 0)
			return -EAGAIN;
		/* A block that is not all zero is read. */
		if (zero)
			blocks = bytes == whole ? (whole + block - 1) / block
						: bytes / block;
	}
	if (blocks == 0) {
		zero = false;
		blocks = blocks_to_read(plan, bytes);
	}
	*ret_piece = (struct plan_piece){
		.first_block = plan->run_first,
		.nr_blocks = blocks,
		.offset_bytes = offset,
		.size_bytes = bytes_of(plan, plan->run_first, blocks),
		.zero = zero,
	};
	return 1;
}

void plan_take(struct plan *plan, const struct plan_piece *piece)
{
	plan->run_first += piece->nr_blocks;
	plan->run_left -= piece->nr_blocks;
}
