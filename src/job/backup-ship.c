/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Shipping one disk: from its hold, as it was at the cut, to the target.  Where
 * no cut could be taken, from the disk itself.
 */
#include <string.h>

#include "job/backup-parts.h"
#include "job/sieve.h"
#include "job/tail-check.h"
#include "job/transfer.h"

#define STALL_MS 120000

/* What the callbacks of one disk's shipping work on. */
struct shipping {
	struct ui *ui;
	struct held_release *release;  /* NULL: there is no hold */
	struct tail_recorder recorder; /* of a mirror */
};

static void show_progress(void *opaque, const struct ship_counts *counts)
{
	struct shipping *shipping = opaque;
	uint64_t block_bytes = shipping->recorder.block_bytes;

	ui_progress(shipping->ui, counts->done_blocks * block_bytes,
		    counts->blocks * block_bytes);
	if (shipping->release)
		held_let_go(shipping->release);
}

/* Should the target lose it again, then this run fails, and the next one cuts
 * anew. */
static void let_go(void *opaque, uint64_t first_block, uint64_t count)
{
	struct shipping *shipping = opaque;

	if (shipping->release)
		held_done(shipping->release, first_block, count);
}

/* For a mirror. */
static int record(void *opaque, uint64_t first_unit, uint64_t nr_units,
		  const uint8_t *data, bool skip[], struct err *err)
{
	struct shipping *shipping = opaque;

	return tail_record(&shipping->recorder, first_unit, nr_units, data,
			   err);
}

/* A mirror is known again by what was shipped to it last. */
static int keep_tail(struct pending *pending, struct tail *shipped,
		     struct err *err)
{
	if (tail_extend(shipped, &pending->tail, pending->map) < 0)
		return fail(err, -ENOMEM, "out of memory");
	tail_free(&pending->tail);
	pending->tail = *shipped;
	*shipped = (struct tail){0};
	return 0;
}

static void report_sieve(const struct sieve *sieve, struct backup_disk *report)
{
	report->zero_bytes += sieve_zero_bytes(sieve);
	report->equal_bytes = sieve_equal_bytes(sieve);
}

static int ship(struct backup *backup, size_t i, struct ship_source *source,
		struct target_disk *to, struct err *err)
{
	struct backup_disk *report = &backup->report->disks[i];
	struct shipping shipping = {
		.ui = backup->ui,
		.release = backup->held.disks ? &backup->held.disks[i].release
					      : NULL,
		.recorder = {.block_bytes = report->block_bytes,
			     .size_bytes = report->size_bytes},
	};
	const struct transfer transfer = {
		.target = backup->target,
		.disk = to,
		.pending = backup->pending[i],
		.source = source,
		.job = {.stall_ms = STALL_MS,
			.cancelled = backup->cancelled,
			.pace = &backup->pace,
			.opaque = &shipping,
			.examine = record,
			.acked = let_go,
			.progress = show_progress},
	};
	struct ship_counts counts = {0};
	int r;

	ui_progress_start(backup->ui, report->target);
	r = transfer_run(&transfer, &counts, err);
	ui_progress_end(backup->ui);
	report->blocks = counts.done_blocks;
	report->sent_bytes = counts.sent_bytes;
	report->zero_bytes = counts.zero_bytes;
	report->compared = to->backing[0];
	if (to->sieve)
		report_sieve(to->sieve, report);
	report->held_bytes = held_kept_bytes(&backup->held, i);
	if (r == 0 && backup->target->is_mirror)
		r = keep_tail(backup->pending[i], &shipping.recorder.tail, err);
	tail_free(&shipping.recorder.tail);
	return r;
}

int backup_ship_disk(struct backup *backup, size_t i, char ret_backing[],
		     struct err *err)
{
	_cleanup_free_ char *path = held_path(&backup->held, i);
	_cleanup_source_ struct ship_source *source = NULL;
	_cleanup_target_disk_ struct target_disk to = {0};
	uint64_t began_ms = ui_now_ms();
	int r;

	if (!path)
		return fail(err, -ENOMEM, "out of memory");
	r = target_begin_disk(backup->target, backup->pending[i], &to, err);
	if (r == 0 && to.resumed)
		ui_note(backup->ui,
			"%s: going on with what an interrupted run "
			"had sent",
			to.disk);
	if (r == 0)
		r = ship_source_open_file(path, &source, err);
	if (r == 0)
		r = ship(backup, i, source, &to, err);
	if (r == 0)
		r = target_end_disk(backup->target, &to, err);
	memcpy(ret_backing, to.backing, POINT_SIZE);
	backup->report->disks[i].spent_ms = ui_now_ms() - began_ms;
	return r;
}
