/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * No hold: what is shipped while the guest runs need not be of one instant. A
 * block is read after the cut, so it has all that was written before; what is
 * written later is in the set of the next cut.  The last one has nobody who
 * writes.
 */
#include <string.h>

#include "base/bitmap.h"
#include "base/io.h"
#include "dm/cut.h"
#include "dm/tracker.h"
#include "job/instant.h"
#include "job/seed.h"
#include "job/switchover-parts.h"
#include "repo/pending.h"

#define STALL_MS 20000         /* the guest may stand meanwhile */
#define WHOLE_BYTES UINT64_MAX /* of connections: as many as are of use */

/* ------------------------------------------------------------ their ends */

static int open_ends(struct switchover *sw, size_t i, struct err *err)
{
	struct switchover_disk *disk = &sw->disks[i];
	_cleanup_free_ char *path =
		io_format(PLACE_MAPPER "%s", sw->session->stacks[i].name);
	int r = path ? ship_source_open_file(path, &disk->source, err)
		     : fail(err, -ENOMEM, "out of memory");

	return r < 0 ? r
		     : seed_open_dest(sw->request->seed, disk->pending->disk,
				      WHOLE_BYTES, &disk->lines, &disk->dest,
				      err);
}

static int open_disk(struct switchover *sw, size_t i, const char *id,
		     struct err *err)
{
	struct switchover_disk *disk = &sw->disks[i];
	const struct pending_disk where = session_pending_disk(sw->session, i);
	const struct session_disk *from = &sw->session->disks[i];
	int r = pending_load(&where, id, &disk->pending, err);

	if (r == 0 && (disk->pending->reason != PENDING_TRACKED ||
		       !pending_follows(disk->pending, from->tracker.epoch)))
		r = fail(err, -EAGAIN,
			 "%s: %s: it is not known any more what the other host "
			 "misses of it; try again",
			 sw->session->domain->name, where.disk);
	if (r < 0)
		return r;
	disk->missing = bitmap_new(disk->pending->map->nr_blocks);
	if (!disk->missing)
		return fail(err, -ENOMEM, "out of memory");
	bitmap_or(disk->missing, disk->pending->map);
	return open_ends(sw, i, err);
}

int switchover_open_disks(struct switchover *sw, struct err *err)
{
	const char *id = seed_target_id(sw->request->seed);
	int r = 0;

	sw->disks = calloc(sw->session->nr_disks, sizeof(*sw->disks));
	if (!sw->disks)
		return fail(err, -ENOMEM, "out of memory");
	for (size_t i = 0; i < sw->session->nr_disks && r == 0; i++)
		r = open_disk(sw, i, id, err);
	return r;
}

static void close_ends(struct switchover_disk *disk)
{
	if (disk->source)
		ship_source_close(TAKE_PTR(disk->source));
	if (disk->dest)
		ship_dest_close(TAKE_PTR(disk->dest));
	far_lines_end(&disk->lines);
}

void switchover_close_disks(struct switchover *sw)
{
	for (size_t i = 0; sw->disks && i < sw->session->nr_disks; i++) {
		struct switchover_disk *disk = &sw->disks[i];

		close_ends(disk);
		pending_free(disk->pending);
		bitmap_free(disk->missing);
	}
	free(TAKE_PTR(sw->disks));
}

/* ------------------------------------------------------------- bringing it */

int switchover_left_bytes(struct switchover *sw, uint64_t *ret_bytes,
			  struct err *err)
{
	uint64_t left_bytes = 0;
	int r = session_refresh(sw->session, err);

	for (size_t i = 0; i < sw->session->nr_disks && r == 0; i++) {
		const struct switchover_disk *disk = &sw->disks[i];

		left_bytes += (bitmap_count(disk->missing) +
			       sw->session->disks[i].tracker.dirty) *
			      disk->pending->block_bytes;
	}
	*ret_bytes = left_bytes;
	return r;
}

void switchover_alive(struct switchover *sw)
{
	watchdog_step(&sw->watchdog, WATCHDOG_PAUSE);
}

static void show_alive(void *opaque, const struct ship_counts *counts)
{
	struct switchover *sw = opaque;

	if (!sw->paused_ms || sw->left)
		switchover_alive(sw);
}

/* Ships what is missing. */
static int ship(struct switchover *sw, size_t i, struct ship_counts *ret_counts,
		struct err *err)
{
	struct switchover_disk *disk = &sw->disks[i];
	const struct ship_job job = {
		.map = disk->missing,
		.block_bytes = disk->pending->block_bytes,
		.stall_ms = STALL_MS,
		.cancelled = sw->cancelled,
		.opaque = sw,
		.progress = show_alive,
	};
	int r;

	/* What came before is flushed. */
	if (bitmap_count(disk->missing) == 0)
		return 0;
	r = ship_run(disk->source, disk->dest, &job, ret_counts, err);
	if (r == 0 && !ret_counts->flushed)
		r = fail(err, -EIO, "%s: cannot be flushed there",
			 disk->pending->disk);
	return r;
}

/*
 * What the cut froze is in every target's set, durably; then it is shipped.  In
 * the set of the other host it stays: should the move fail, it is sent again.
 */
static int bring(struct switchover *sw, size_t i, struct ship_counts *counts,
		 struct err *err)
{
	struct switchover_disk *disk = &sw->disks[i];
	const struct pending_disk where = session_pending_disk(sw->session, i);
	const char *device = sw->session->stacks[i].name;
	_cleanup_bitmap_ struct bitmap *frozen = NULL;
	unsigned int gaps = 0;
	int r = tracker_read_map(device, TRACKER_MAP_FROZEN, &frozen, err);

	if (r == 0)
		r = pending_merge_all(&where, frozen,
				      sw->session->disks[i].tracker.epoch,
				      sw->epoch, &gaps, err);
	if (r < 0)
		return r;
	bitmap_or(disk->missing, frozen);
	r = ship(sw, i, counts, err);
	if (r < 0)
		return r;
	bitmap_clear(disk->missing, 0, disk->missing->nr_blocks);
	return tracker_epoch_end(device, sw->epoch, err);
}

static int prepare_cut(struct switchover *sw, struct err *err)
{
	int r = uuid_new(sw->epoch, err);

	cut_free(TAKE_PTR(sw->cut));
	return r < 0 ? r
		     : cut_prepare(sw->session->stacks, sw->session->nr_disks,
				   sw->epoch, &sw->cut, err);
}

static int cut(struct switchover *sw, struct err *err)
{
	int r = instant_cut(sw->cut, &sw->watchdog, err);

	sw->epoch_open = r == 0;
	return r;
}

int switchover_catch_up(struct switchover *sw, struct err *err)
{
	uint64_t sent_bytes = 0;
	int r = prepare_cut(sw, err);

	if (r == 0)
		r = session_refresh(sw->session, err);
	if (r == 0)
		r = cut(sw, err);
	for (size_t i = 0; i < sw->session->nr_disks && r == 0; i++) {
		struct ship_counts counts = {0};

		r = bring(sw, i, &counts, err);
		sent_bytes += counts.sent_bytes;
	}
	sw->epoch_open = sw->epoch_open && r < 0;
	sw->report->before_bytes += sent_bytes;
	return r;
}

/* -------------------------------------------------------------- the end of it */

static int carry_target(struct switchover *sw, size_t i, const char *id,
			struct err *err)
{
	const char *disk = sw->session->disks[i].disk->target;
	_cleanup_free_ char *content = NULL;
	size_t size_bytes;
	struct err why = {0};
	int r;

	switchover_alive(sw);
	r = pending_content(sw->session->state_dir, id, disk, &content,
			    &size_bytes, &why);

	/* Not every target has every disk. */
	if (r == -ENOENT)
		return 0;
	if (r < 0)
		return fail(err, r, "%s", why.text);
	return seed_send_pending(sw->request->seed, disk, id, content,
				 size_bytes, err);
}

static int carry(struct switchover *sw, struct err *err)
{
	_cleanup_pending_targets_ struct pending_targets *known = NULL;
	int r = pending_targets(sw->session->state_dir, &known, err);

	for (size_t i = 0; r == 0 && i < known->nr_targets; i++) {
		const char *id = known->targets[i].repo_id;

		/* Where it goes, and other such hosts: nobody's concern there. */
		if (seed_is_uri(known->targets[i].location))
			continue;
		for (size_t j = 0; r == 0 && j < sw->session->nr_disks; j++)
			r = carry_target(sw, j, id, err);
	}
	return r;
}

/* It stays in the tracker here, too: should the domain come back, or not get
 * there, it was never taken. */
static int ship_last(struct switchover *sw, size_t i, struct err *err)
{
	struct switchover_disk *disk = &sw->disks[i];
	_cleanup_bitmap_ struct bitmap *frozen = NULL;
	struct ship_counts counts = {0};
	int r = tracker_read_map(sw->session->stacks[i].name,
				 TRACKER_MAP_FROZEN, &frozen, err);

	if (r < 0)
		return r;
	bitmap_or(disk->missing, frozen);
	r = ship(sw, i, &counts, err);
	sw->report->last_bytes += counts.sent_bytes;
	close_ends(disk);
	return r < 0 ? r
		     : seed_send_frozen(sw->request->seed, disk->pending->disk,
					sw->session->disks[i].tracker.epoch,
					frozen, err);
}

/* Each disk's epoch is known afterwards, as the cut will find it. */
int switchover_prepare_last(struct switchover *sw, struct err *err)
{
	int r = carry(sw, err);

	/* A last cut that failed has closed some. */
	for (size_t i = 0; i < sw->session->nr_disks && r == 0; i++)
		if (!sw->disks[i].dest)
			r = open_ends(sw, i, err);
	if (r == 0)
		r = prepare_cut(sw, err);
	return r < 0 ? r : session_refresh(sw->session, err);
}

int switchover_ship_last(struct switchover *sw, struct err *err)
{
	int r = cut(sw, err);

	for (size_t i = 0; i < sw->session->nr_disks && r == 0; i++)
		r = ship_last(sw, i, err);
	if (r < 0)
		return r;
	sw->finishing = true;
	r = seed_finish(sw->request->seed, sw->next, err);
	sw->finished = r == 0;
	if (sw->paused_ms)
		sw->report->disks_ms = ui_now_ms() - sw->paused_ms;
	return r;
}

/* To be told of what was brought for nothing, when it is tried again. */
static void remember(struct switchover *sw, size_t i)
{
	const struct pending_disk where = session_pending_disk(sw->session, i);
	_cleanup_pending_ struct pending *pending = NULL;
	_cleanup_bitmap_ struct bitmap *frozen = NULL;

	if (tracker_read_map(sw->session->stacks[i].name, TRACKER_MAP_FROZEN,
			     &frozen, NULL) < 0 ||
	    pending_load(&where, seed_target_id(sw->request->seed), &pending,
			 NULL) < 0 ||
	    frozen->nr_blocks != pending->map->nr_blocks)
		return;
	pending_add(pending, frozen);
	(void)pending_store(sw->session->state_dir, pending, NULL);
}

void switchover_abort_cut(struct switchover *sw)
{
	for (size_t i = 0; sw->epoch_open && i < sw->session->nr_disks; i++) {
		remember(sw, i);
		(void)tracker_epoch_abort(sw->session->stacks[i].name,
					  sw->epoch, NULL);
	}
	sw->epoch_open = false;
}
