/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Shipping one disk: from its hold, as it was at the cut, to the target.  Where
 * no cut could be taken, from the disk itself.
 */
#include <string.h>

#include "base/bitmap.h"
#include "job/backup-parts.h"
#include "job/sieve.h"
#include "job/tail-check.h"
#include "job/transfer.h"

#define STALL_MS 120000

/* What the callbacks of one disk's shipping work on. */
struct shipping {
	struct backup *backup;
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

/* Should the target lose it again, then this cut fails, and the next one has
 * what it is now. */
static void let_go(void *opaque, uint64_t first_block, uint64_t count)
{
	struct shipping *shipping = opaque;

	if (shipping->release)
		held_done(shipping->release, first_block, count);
}

static bool is_enough(void *opaque)
{
	const struct shipping *shipping = opaque;

	return backup_is_enough(shipping->backup);
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
	report->equal_bytes += sieve_equal_bytes(sieve);
}

static int ship(struct backup *backup, size_t i, struct ship_source *source,
		struct target_disk *to, struct err *err)
{
	struct backup_disk *report = &backup->report->disks[i];
	struct shipping shipping = {
		.backup = backup,
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
		.enough = is_enough,
	};
	struct ship_counts counts = {0};
	int r;

	ui_progress_start(backup->ui, report->target);
	r = transfer_run(&transfer, &counts, err);
	ui_progress_end(backup->ui);
	report->blocks = bitmap_count(backup->pending[i]->map);
	report->sent_bytes += counts.sent_bytes;
	report->zero_bytes += counts.zero_bytes;
	report->compared = to->backing[0];
	if (to->sieve)
		report_sieve(to->sieve, report);
	report->held_bytes += held_kept_bytes(&backup->held, i);
	if (r == 0 && backup->target->is_mirror)
		r = keep_tail(backup->pending[i], &shipping.recorder.tail, err);
	tail_free(&shipping.recorder.tail);
	return r;
}

/*
 * What an earlier cut of this run had sent must be there. If it is not, the
 * hold does not have it any more: it takes a new one that has.
 */
static int check_place(struct backup *backup, size_t i,
		       const struct target_disk *to, struct err *err)
{
	struct pending *pending = backup->pending[i];

	if (to->resumed || bitmap_covers(pending->to_send, pending->map))
		return 0;
	if (pending_begin_run(pending, backup->run) < 0)
		return fail(err, -ENOMEM, "out of memory");
	backup->again = BACKUP_AGAIN_ANEW;
	return fail(err, -EIO,
		    "%s: %s: what this run had sent is gone; back it up again",
		    backup->target->location, to->disk);
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
	if (r == 0)
		r = check_place(backup, i, &to, err);
	if (r == 0 && to.resumed && backup->nr_cuts <= 1)
		ui_note(backup->ui,
			"%s: going on with what an interrupted run "
			"had sent",
			to.disk);
	if (r == 0)
		r = ship_source_open_file(path, &source, err);
	if (r == 0)
		r = ship(backup, i, source, &to, err);
	if (r == 0)
		r = target_end_disk(backup->target, &to, backup->pending[i],
				    err);
	if (r == 0)
		bitmap_clear(backup->pending[i]->to_send, 0,
			     backup->pending[i]->to_send->nr_blocks);
	memcpy(ret_backing, to.backing, POINT_SIZE);
	backup->report->disks[i].spent_ms += ui_now_ms() - began_ms;
	return r;
}
