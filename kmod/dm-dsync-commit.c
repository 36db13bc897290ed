// SPDX-License-Identifier: GPL-2.0-only
/*
 * Commits: writes wait here until the intents of their regions are durable.
 *
 * Notes on the design of this file:
 *
 * One worker takes all writes that wait, gets entries for their regions,
 * makes all of these durable by one FUA write (or a few, if there are more
 * than 992 entries), and lets the writes go. Writes that arrive meanwhile are
 * the next batch: the slower META_DEV, the larger the batches.
 *
 * A write over very many regions, such as a discard of gigabytes, would use
 * up all entries. It has the leaves of the bitmap itself written instead, by
 * the writer, who is also waited for when no entry is free.
 *
 * All waits are bounded. When META_DEV fails or does not answer in time, the
 * metadata is declared as failed, and all writes go on without it.
 */
#include <linux/bitmap.h>
#include <linux/blkdev.h>
#include <linux/math64.h>

#include "dm-dsync-hold.h"
#include "dm-dsync-meta.h"

/**
 * dsync_meta_defer() - has a write wait for intents
 * @meta: the metadata
 * @bio: the write, remapped to the data device; its blocks are marked
 *
 * Context: does not sleep.
 */
void dsync_meta_defer(struct dsync_meta *meta, struct bio *bio)
{
	spin_lock(&meta->lock);
	bio_list_add(&meta->waiting, bio);
	spin_unlock(&meta->lock);
	queue_work(meta->commit_queue, &meta->commit);
}

/**
 * dsync_meta_submit() - lets writes go, as far as metadata are concerned
 * @meta: the metadata
 * @bios: the writes; becomes empty
 *
 * Context: may sleep.
 */
void dsync_meta_submit(struct dsync_meta *meta, struct bio_list *bios)
{
	struct bio *bio;

	while ((bio = bio_list_pop(bios)))
		if (!dsync_hold_delays(meta->ep, bio))
			submit_bio_noacct(bio);
}

static bool take_all(struct dsync_meta *meta, struct bio_list *bios)
{
	spin_lock(&meta->lock);
	*bios = meta->waiting;
	bio_list_init(&meta->waiting);
	spin_unlock(&meta->lock);
	return !bio_list_empty(bios);
}

/* Puts writes back, before those that came later. */
static void put_back(struct dsync_meta *meta, struct bio_list *bios)
{
	spin_lock(&meta->lock);
	bio_list_merge_head(&meta->waiting, bios);
	spin_unlock(&meta->lock);
	bio_list_init(bios);
}

/*-----------------------------------------------------------------*/

static bool is_wide(struct dsync_regions *rg, u64 first, u64 count)
{
	u64 last = first + count - 1;

	return (last >> rg->shift) - (first >> rg->shift) >= rg->nr_entries / 4;
}

/* Keeps in @bios what has all its entries. */
static void claim(struct dsync_meta *meta, struct bio_list *bios,
		  struct bio_list *wide, struct bio_list *rest)
{
	const struct dsync_geometry *geo = &meta->ep->sets->geo;
	struct bio_list ready = BIO_EMPTY_LIST;
	struct bio *bio;

	while ((bio = bio_list_pop(bios))) {
		u64 first = dsync_bio_first(geo, bio);
		u64 count = dsync_bio_blocks(geo, bio);

		if (is_wide(meta->rg, first, count))
			bio_list_add(wide, bio);
		else if (dsync_regions_claim(meta->rg, first, count,
					     meta->super.dirty_slot))
			bio_list_add(&ready, bio);
		else
			bio_list_add(rest, bio);
	}
	*bios = ready;
}

/**
 * dsync_meta_write_intents() - makes META_DEV's intents those in RAM
 * @meta: the metadata
 *
 * Return: 0 or a negative error.
 *
 * Context: under commit_lock.
 */
int dsync_meta_write_intents(struct dsync_meta *meta)
{
	int block, r;

	while (meta->commit_io) {
		block = dsync_regions_next_behind(meta->rg, &meta->super.uuid,
						  meta->commit_io->buf);
		if (block < 0)
			return 0;
		atomic64_inc(&meta->nr_writes);
		r = dsync_io_run(&meta->commit_io,
				 REQ_OP_WRITE | REQ_FUA | REQ_SYNC | REQ_META,
				 (sector_t)block * DSYNC_META_BLOCK_SECTORS,
				 DSYNC_META_BLOCK_BYTES);
		if (r)
			return r;
	}
	return -ENOMEM;
}

static bool wide_is_done(struct dsync_meta *meta)
{
	return READ_ONCE(meta->wide_done) == READ_ONCE(meta->wide_wanted);
}

static bool has_entries(struct dsync_meta *meta)
{
	return READ_ONCE(meta->rg->nr_free);
}

/* Waits as long as the writer gets on. */
static void wait_for_writer(struct dsync_meta *meta,
			    bool (*is_done)(struct dsync_meta *meta))
{
	s64 writes;

	do {
		dsync_meta_wake_writer(meta);
		writes = atomic64_read(&meta->nr_writes);
		if (wait_event_timeout(meta->wait,
				       is_done(meta) || READ_ONCE(meta->bypass),
				       meta->disk.timeout))
			return;
	} while (writes != atomic64_read(&meta->nr_writes));
	dsync_meta_fail(meta, "waiting for the bitmap", -ETIMEDOUT);
}

/* Has the writer make the leaves durable that hold the bits of @wide. */
static void write_wide(struct dsync_meta *meta, struct bio_list *wide)
{
	const struct dsync_geometry *geo = &meta->ep->sets->geo;
	struct bio *bio;

	spin_lock(&meta->lock);
	bio_list_for_each(bio, wide)
	{
		u64 first = dsync_bio_first(geo, bio);
		u64 last = first + dsync_bio_blocks(geo, bio) - 1;
		unsigned long leaf = div_u64(first, DSYNC_LEAF_BITS);

		bitmap_set(meta->wide, leaf,
			   div_u64(last, DSYNC_LEAF_BITS) - leaf + 1);
	}
	meta->wide_wanted++;
	spin_unlock(&meta->lock);

	wait_for_writer(meta, wide_is_done);
}

static void commit(struct dsync_meta *meta, struct bio_list *bios)
{
	struct bio_list wide = BIO_EMPTY_LIST, rest = BIO_EMPTY_LIST;
	int r;

	claim(meta, bios, &wide, &rest);
	if (meta->rg->nr_claimed) {
		atomic64_inc(&meta->nr_commits);
		r = dsync_meta_write_intents(meta);
		if (r)
			dsync_meta_fail(meta, "writing intents", r);
		else
			dsync_regions_activate(meta->rg);
	}
	dsync_meta_submit(meta, bios);

	if (!bio_list_empty(&wide)) {
		write_wide(meta, &wide);
		dsync_meta_submit(meta, &wide);
	}
	if (!bio_list_empty(&rest)) {
		put_back(meta, &rest);
		wait_for_writer(meta, has_entries);
	} else if (READ_ONCE(meta->rg->nr_free) <= meta->rg->nr_entries / 4) {
		dsync_meta_wake_writer(meta);
	}
}

/* Nobody waits for this. */
static void tidy(struct dsync_meta *meta)
{
	int r = dsync_meta_write_intents(meta);

	if (r)
		dsync_meta_fail(meta, "writing intents", r);
}

/**
 * dsync_meta_commit_work() - lets writes go that wait for intents
 * @work: of the metadata
 *
 * Context: worker.
 */
void dsync_meta_commit_work(struct work_struct *work)
{
	struct dsync_meta *meta = container_of(work, struct dsync_meta, commit);
	struct bio_list bios;

	while (take_all(meta, &bios)) {
		mutex_lock(&meta->commit_lock);
		if (READ_ONCE(meta->bypass))
			dsync_meta_submit(meta, &bios);
		else
			commit(meta, &bios);
		mutex_unlock(&meta->commit_lock);
		if (!READ_ONCE(meta->stopping))
			queue_delayed_work(meta->writer_queue, &meta->tick,
					   DSYNC_IDLE_TIME);
	}

	mutex_lock(&meta->commit_lock);
	if (xchg(&meta->tidy, false) && !READ_ONCE(meta->bypass))
		tidy(meta);
	mutex_unlock(&meta->commit_lock);
}
