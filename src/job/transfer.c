/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A window costs a flush and the pipeline's coming to rest, so it should last
 * seconds; what an interruption costs is at most a window, so it should not
 * last minutes.  How much is sent in that time nobody knows before, so each
 * window learns from the one before it.
 */
#include "job/transfer.h"

#include "base/bitmap.h"
#include "base/err.h"
#include "job/sieve.h"
#include "job/target.h"
#include "job/ui.h"
#include "repo/pending.h"

#define WINDOW_LEAST_BYTES (UINT64_C(16) << 20)
#define WINDOW_FIRST_BYTES (UINT64_C(256) << 20)
#define WINDOW_MOST_BYTES (UINT64_C(8) << 30)
#define WINDOW_SHORT_MS 5000
#define WINDOW_LONG_MS 30000

struct progress {
	const struct transfer *transfer;
	struct ship_counts before; /* of the windows that are done */
	struct ship_counts total;  /* and of this one */
};

static int examine(void *opaque, uint64_t first_unit, uint64_t nr_units,
		   const uint8_t *data, bool skip[], struct err *err)
{
	const struct progress *progress = opaque;
	const struct transfer *transfer = progress->transfer;

	if (transfer->disk->sieve)
		return sieve_examine(transfer->disk->sieve, first_unit,
				     nr_units, data, skip, err);
	if (!transfer->job.examine)
		return 0;
	return transfer->job.examine(transfer->job.opaque, first_unit, nr_units,
				     data, skip, err);
}

static void acked(void *opaque, uint64_t first_block, uint64_t count)
{
	const struct ship_job *job =
		&((const struct progress *)opaque)->transfer->job;

	if (job->acked)
		job->acked(job->opaque, first_block, count);
}

static void add(struct progress *progress, const struct ship_counts *window)
{
	struct ship_counts *total = &progress->total;
	const struct ship_counts *before = &progress->before;

	total->done_blocks = before->done_blocks + window->done_blocks;
	total->read_bytes = before->read_bytes + window->read_bytes;
	total->sent_bytes = before->sent_bytes + window->sent_bytes;
	total->zero_bytes = before->zero_bytes + window->zero_bytes;
	total->skip_bytes = before->skip_bytes + window->skip_bytes;
	total->writes = before->writes + window->writes;
	total->zero_writes = before->zero_writes + window->zero_writes;
	total->flushed = window->flushed;
}

static void show(void *opaque, const struct ship_counts *counts)
{
	struct progress *progress = opaque;
	const struct ship_job *job = &progress->transfer->job;

	add(progress, counts);
	if (job->progress)
		job->progress(job->opaque, &progress->total);
}

/* The block behind those of @map from @first on that are @bytes in all. */
static uint64_t window_end(const struct bitmap *map, uint32_t block_bytes,
			   uint64_t first, uint64_t bytes)
{
	uint64_t left = bytes / block_bytes, run, end = first;

	while (left && (run = bitmap_next_run(map, end, left, &first))) {
		end = first + run;
		left -= run;
	}
	return left ? map->nr_blocks : end;
}

static int run_window(struct progress *progress, uint64_t first, uint64_t end,
		      struct err *err)
{
	const struct transfer *transfer = progress->transfer;
	const struct pending *pending = transfer->pending;
	uint32_t per_block = pending->block_bytes / SHIP_UNIT_BYTES;
	struct ship_job job = transfer->job;
	struct ship_counts counts;
	int r = target_open_window(transfer->target, transfer->disk, pending,
				   first * per_block, end * per_block, err);

	if (r < 0)
		return r;
	job.map = pending_to_send(pending);
	job.block_bytes = pending->block_bytes;
	job.first_block = first;
	job.nr_blocks = end - first;
	job.opaque = progress;
	job.examine = examine;
	job.acked = acked;
	job.progress = show;
	r = ship_run(transfer->source, transfer->disk->dest, &job, &counts,
		     err);
	add(progress, &counts);
	progress->before = progress->total;
	if (r == 0 && !counts.flushed)
		r = fail(err, -EOPNOTSUPP,
			 "%s: the server cannot flush, so nothing there is "
			 "known to be durable; enable flush on it",
			 transfer->target->location);
	return r;
}

static uint64_t learn(uint64_t bytes, uint64_t spent_ms)
{
	if (spent_ms < WINDOW_SHORT_MS && bytes < WINDOW_MOST_BYTES)
		return bytes * 2;
	if (spent_ms > WINDOW_LONG_MS && bytes > WINDOW_LEAST_BYTES)
		return bytes / 2;
	return bytes;
}

/* After its blocks [first, end). */
static int close_window(const struct transfer *transfer, uint64_t first,
			uint64_t end, struct err *err)
{
	const struct bitmap *map = pending_to_send(transfer->pending);
	struct bitmap *to_send = transfer->pending->to_send;
	uint64_t next;
	int r = target_close_window(transfer->target, transfer->disk,
				    transfer->pending, err);

	if (r < 0)
		return r;
	if (to_send)
		bitmap_clear(to_send, first, end - first);
	if (transfer->enough && bitmap_next_run(map, end, 1, &next) &&
	    transfer->enough(transfer->job.opaque))
		return fail(err, -EAGAIN, "%s: ended between two windows",
			    transfer->target->location);
	return 0;
}

int transfer_run(const struct transfer *transfer,
		 struct ship_counts *ret_counts, struct err *err)
{
	const struct bitmap *map = pending_to_send(transfer->pending);
	uint64_t bytes = transfer->window_bytes ? transfer->window_bytes
						: WINDOW_FIRST_BYTES;
	uint64_t end = 0;
	struct progress progress = {.transfer = transfer};
	int r = 0;

	/* A mirror is brought up to date in place: it has no use for windows. */
	if (!transfer->disk->sieve)
		bytes = UINT64_MAX;
	progress.total.blocks = bitmap_count(map);
	for (uint64_t first = 0; r == 0 && first < map->nr_blocks;
	     first = end) {
		uint64_t began_ms = ui_now_ms();

		end = window_end(map, transfer->pending->block_bytes, first,
				 bytes);
		r = run_window(&progress, first, end, err);
		if (r == 0 && end < map->nr_blocks)
			r = close_window(transfer, first, end, err);
		bytes = learn(bytes, ui_now_ms() - began_ms);
	}
	*ret_counts = progress.total;
	return r;
}
