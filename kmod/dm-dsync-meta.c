// SPDX-License-Identifier: GPL-2.0-only
/*
 * Metadata: what makes a device's sets survive a crash.
 *
 * Notes on the design of the files that belong to it:
 *
 *	dm-dsync-meta.c		its life, and the ladder of failure
 *	dm-dsync-load.c		reads it when a device comes up
 *	dm-dsync-commit.c	a worker; makes intents durable, so that writes
 *				may go on
 *	dm-dsync-writer.c	a worker; writes leaves, so that intents may be
 *				dropped; mends what has failed
 *	dm-dsync-switch.c	what the epochs need of it
 *	dm-dsync-flush.c	the message that prepares for one
 *	dm-dsync-region.c	the regions in RAM
 *	dm-dsync-codec.c	the format
 *	dm-dsync-io.c		the transfers
 *
 * At any instant, what META_DEV would be read as contains all blocks that a
 * write may have changed by then:
 *
 *	bits in the leaves + blocks of the regions in the intents
 *
 * or, if the superblock says that these are not valid, all blocks.
 *
 * When META_DEV fails or hangs, guests come first: there is one setter,
 * dsync_meta_fail(), after which no write waits for metadata any more. The
 * superblock is to say "lost" from then on, and the writer tries each second:
 *
 *	fine ---- dsync_meta_fail() ----> failing <----------------+
 *	  ^                                  | "lost" is durable   | fails
 *	  |                                  v                     | again
 *	  |                              (mending) ----------------+
 *	  |                                  | writes wait for intents again;
 *	  +----------------------------------+ all leaves were written
 *
 * A blank META_DEV is formatted the same way, starting from "formatting" in
 * place of "failing". One with unknown content is "unusable": never written.
 *
 * @bypass tells how far it has come: it is set whenever the writer has to mend,
 * and cleared by nobody else.
 *
 * Locks, in their order:
 *
 *	md->suspend_lock (dm)
 *	registry lock
 *	commit_lock
 *	lock of the epochs	held during transfers of the superblock, so
 *				that an epoch changes at once in RAM and on disk
 *	regions lock, lock	spinlocks, leaves
 *	lock of the hold	a spinlock, leaf; see dm-dsync-hold.c
 *
 * Workers take the lock of the epochs, never the registry lock (but @event
 * does). Whoever waits for a worker while he holds a lock must know that the
 * worker does not need it; waits have a limit everywhere but in close.
 */
#include <linux/blkdev.h>
#include <linux/device-mapper.h>
#include <linux/slab.h>
#include <linux/uuid.h>

#include "dm-dsync-meta.h"
#include "dm-dsync-registry.h"
#include "dm-dsync.h"

static void free_ios(struct dsync_meta *meta)
{
	int i;

	dsync_io_put(meta->commit_io);
	dsync_io_put(meta->super_io);
	for (i = 0; i < DSYNC_LEAF_IOS; i++)
		dsync_io_put(meta->leaf_io[i]);
}

static bool refill(struct dsync_meta *meta, struct dsync_io **io, gfp_t gfp)
{
	if (!*io)
		*io = dsync_io_create(&meta->disk, gfp);
	return *io;
}

/**
 * dsync_meta_refill() - replaces transfers that were given up
 * @meta: the metadata
 * @gfp: how to allocate
 *
 * Return: whether all are there.
 *
 * Context: by the writer, or nobody else uses it; no lock is held.
 */
bool dsync_meta_refill(struct dsync_meta *meta, gfp_t gfp)
{
	bool all;
	int i;

	mutex_lock(&meta->commit_lock);
	all = refill(meta, &meta->commit_io, gfp);
	mutex_unlock(&meta->commit_lock);
	/* While lost, only the writer uses this one. */
	all = all && refill(meta, &meta->super_io, gfp);
	for (i = 0; i < DSYNC_LEAF_IOS; i++) {
		all = all && refill(meta, &meta->leaf_io[i], gfp);
		if (meta->leaf_io[i])
			meta->leaf_io[i]->error = 0;
	}
	return all;
}

static bool create_bits(struct dsync_meta *meta, unsigned long nr_leaves)
{
	size_t longs = BITS_TO_LONGS(nr_leaves);
	int i;

	for (i = 0; i < DSYNC_NR_SLOTS; i++) {
		meta->todo[i] = kvcalloc(longs, sizeof(long), GFP_KERNEL);
		meta->rest[i] = kvcalloc(longs, sizeof(long), GFP_KERNEL);
		if (!meta->todo[i] || !meta->rest[i])
			return false;
	}
	meta->wide = kvcalloc(longs, sizeof(long), GFP_KERNEL);
	meta->bits = kmalloc(DSYNC_LEAF_BYTES, GFP_KERNEL);
	return meta->wide && meta->bits;
}

/* Wakes those who wait for an event on the mapped device. */
static void event_work(struct work_struct *work)
{
	struct dsync_meta *meta = container_of(work, struct dsync_meta, event);

	dsync_registry_event(meta->ep);
}

/**
 * dsync_meta_create() - allocates all that is needed for metadata
 * @bdev: META_DEV; to stay open until this is destroyed
 * @geo: how the device is cut that it is for
 * @super: its region_sectors and active_regions are used
 * @timeout_ms: how long to wait for @bdev
 *
 * Nothing is read or written.
 *
 * Return: the metadata, or NULL without memory.
 *
 * Context: may sleep.
 */
struct dsync_meta *dsync_meta_create(struct block_device *bdev,
				     const struct dsync_geometry *geo,
				     const struct dsync_super *super,
				     unsigned int timeout_ms)
{
	unsigned int shift = ilog2(super->region_sectors) - geo->block_shift;
	struct dsync_meta *meta = kzalloc(sizeof(*meta), GFP_KERNEL);

	if (!meta)
		return NULL;
	meta->disk.bdev = bdev;
	meta->disk.timeout = msecs_to_jiffies(timeout_ms);
	meta->super = *super;
	meta->bypass = true;
	meta->lost = true;
	spin_lock_init(&meta->lock);
	bio_list_init(&meta->waiting);
	init_waitqueue_head(&meta->wait);
	mutex_init(&meta->commit_lock);
	INIT_WORK(&meta->commit, dsync_meta_commit_work);
	INIT_WORK(&meta->writer, dsync_meta_writer_work);
	INIT_DELAYED_WORK(&meta->tick, dsync_meta_tick_work);
	INIT_WORK(&meta->event, event_work);

	meta->rg = dsync_regions_create(dsync_nr_blocks(geo), shift,
					super->active_regions);
	if (!meta->rg || !create_bits(meta, meta->rg->layout.nr_leaves) ||
	    !dsync_meta_refill(meta, GFP_KERNEL))
		goto err_destroy;
	meta->commit_queue =
		alloc_workqueue("dsync_commit", WQ_MEM_RECLAIM | WQ_UNBOUND, 0);
	meta->writer_queue =
		alloc_workqueue("dsync_writer", WQ_MEM_RECLAIM | WQ_UNBOUND, 0);
	if (!meta->commit_queue || !meta->writer_queue)
		goto err_destroy;
	return meta;

err_destroy:
	dsync_meta_destroy(meta);
	return NULL;
}

/**
 * dsync_meta_destroy() - frees it
 * @meta: the metadata or NULL; never started, or closed
 *
 * Context: may sleep, as long as META_DEV hangs.
 */
void dsync_meta_destroy(struct dsync_meta *meta)
{
	int i;

	if (!meta)
		return;
	if (meta->writer_queue)
		destroy_workqueue(meta->writer_queue);
	if (meta->commit_queue)
		destroy_workqueue(meta->commit_queue);
	dsync_disk_drain(&meta->disk);
	free_ios(meta);
	for (i = 0; i < DSYNC_NR_SLOTS; i++) {
		kvfree(meta->rest[i]);
		kvfree(meta->todo[i]);
	}
	kvfree(meta->wide);
	kfree(meta->bits);
	dsync_regions_destroy(meta->rg);
	mutex_destroy(&meta->commit_lock);
	kfree(meta);
}

/*-----------------------------------------------------------------*/

/**
 * dsync_meta_prepare() - makes the image of a new superblock
 * @meta: the metadata, with @super as wanted
 * @flags: DSYNC_SUPER_...
 *
 * Context: under the lock of the epochs, or nobody else uses it.
 */
void dsync_meta_prepare(struct dsync_meta *meta, unsigned int flags)
{
	void *buf;

	meta->super.flags = flags;
	meta->super.sequence++;
	if (!meta->super_io)
		return;
	buf = meta->super_io->buf;
	dsync_super_encode(&meta->super, buf);
	memcpy(buf + DSYNC_META_BLOCK_BYTES, buf, DSYNC_META_BLOCK_BYTES);
}

/**
 * dsync_meta_store() - writes both copies of the superblock
 * @meta: the metadata, prepared
 *
 * Return: 0 or a negative error.
 *
 * Context: may sleep. Still under the lock of the epochs, unless called by the
 * writer while lost.
 */
int dsync_meta_store(struct dsync_meta *meta)
{
	atomic64_inc(&meta->nr_writes);
	return dsync_io_run(&meta->super_io,
			    REQ_OP_WRITE | REQ_PREFLUSH | REQ_FUA | REQ_SYNC |
				    REQ_META,
			    DSYNC_SUPER_BLOCK * DSYNC_META_BLOCK_SECTORS,
			    DSYNC_SUPER_COPIES * DSYNC_META_BLOCK_BYTES);
}

/**
 * dsync_meta_wake_writer() - has the writer look what is wanted
 * @meta: the metadata
 *
 * Context: does not sleep.
 */
void dsync_meta_wake_writer(struct dsync_meta *meta)
{
	if (!READ_ONCE(meta->stopping))
		queue_work(meta->writer_queue, &meta->writer);
}

/**
 * dsync_meta_fail() - goes on without metadata
 * @meta: the metadata
 * @what: was being done, for the log
 * @error: that it failed with
 *
 * Context: may sleep, but never waits for META_DEV.
 */
void dsync_meta_fail(struct dsync_meta *meta, const char *what, int error)
{
	struct bio_list bios;
	bool first;

	spin_lock(&meta->lock);
	first = meta->health != DSYNC_META_FAILING;
	meta->health = DSYNC_META_FAILING;
	meta->error = error;
	WRITE_ONCE(meta->lost, true);
	WRITE_ONCE(meta->bypass, true);
	bios = meta->waiting;
	bio_list_init(&meta->waiting);
	spin_unlock(&meta->lock);

	dsync_meta_submit(meta, &bios);
	wake_up_all(&meta->wait);
	atomic64_inc(&meta->nr_failures);
	if (!first)
		return;
	DMERR("%pg: %s failed with %d; degraded: changes are only kept in RAM until it works again",
	      meta->disk.bdev, what, error);
	dsync_meta_wake_writer(meta);
	queue_work(meta->writer_queue, &meta->event);
}

/*-----------------------------------------------------------------*/

/**
 * dsync_meta_start() - begins with metadata that was loaded
 * @meta: the metadata
 * @ep: the epochs, with sets that it was loaded into
 *
 * Waits a moment for a new META_DEV to be formatted.
 *
 * Context: preresume; may sleep.
 */
void dsync_meta_start(struct dsync_meta *meta, struct dsync_epochs *ep)
{
	meta->ep = ep;
	WRITE_ONCE(meta->stopping, false);
	if (meta->health == DSYNC_META_UNUSABLE)
		return;
	dsync_meta_wake_writer(meta);
	queue_delayed_work(meta->writer_queue, &meta->tick, DSYNC_IDLE_TIME);
	wait_event_timeout(meta->wait,
			   READ_ONCE(meta->health) != DSYNC_META_FORMATTING,
			   meta->disk.timeout);
}

/*
 * The workers queue each other, but not what begins after @stopping was set: it
 * queues nothing, and the writer does nothing. So what was under way ends in
 * the first round, and what that has queued in the second. What waits
 * for an event is told of it all the same.
 */
static void stop_workers(struct dsync_meta *meta)
{
	int round;

	WRITE_ONCE(meta->stopping, true);
	for (round = 0; round < 2; round++) {
		cancel_delayed_work_sync(&meta->tick);
		cancel_work_sync(&meta->commit);
		cancel_work_sync(&meta->writer);
	}
	flush_work(&meta->event);
}

/**
 * dsync_meta_fence() - ends it before something else takes its place
 * @meta: the metadata, in use; dsync_meta_close() follows
 *
 * Context: preresume, so no write is in map(); may wait for META_DEV, but not
 * much longer than the timeout.
 */
void dsync_meta_fence(struct dsync_meta *meta)
{
	stop_workers(meta);
	if (meta->health == DSYNC_META_UNUSABLE)
		return;
	meta->lost = true;
	dsync_meta_prepare(meta, DSYNC_SUPER_LOST);
	if (!meta->unread)
		dsync_meta_store(meta);
}

static bool is_all_written(struct dsync_meta *meta)
{
	return !meta->lost && !meta->owed &&
	       meta->rg->nr_free == meta->rg->nr_entries &&
	       !dsync_meta_write_intents(meta);
}

/* The last word on META_DEV */
static void take_leave(struct dsync_meta *meta, bool clean)
{
	int r;

	/* Nothing that was given up may come after it. */
	dsync_disk_drain(&meta->disk);
	if (meta->unread || !dsync_meta_refill(meta, GFP_KERNEL))
		return;
	if (clean && is_all_written(meta))
		dsync_meta_prepare(meta, DSYNC_SUPER_CLEAN);
	else if (clean && !meta->lost)
		return;
	else
		dsync_meta_prepare(meta, DSYNC_SUPER_LOST);
	r = dsync_meta_store(meta);
	if (r)
		DMERR("%pg: writing the superblock failed with %d",
		      meta->disk.bdev, r);
	dsync_disk_drain(&meta->disk);
}

/**
 * dsync_meta_close() - ends it
 * @meta: the metadata; may never have been started
 * @clean: no write can have been missed since the device was suspended
 *
 * Context: destructor; may sleep as long as META_DEV hangs. No lock is held,
 * and nobody else uses it.
 */
void dsync_meta_close(struct dsync_meta *meta, bool clean)
{
	if (!meta->ep)
		return;
	if (clean) {
		atomic_inc(&meta->flush_wanted);
		dsync_meta_wake_writer(meta);
		flush_work(&meta->writer);
	}
	stop_workers(meta);
	if (meta->health != DSYNC_META_UNUSABLE)
		take_leave(meta, clean);
}

/**
 * dsync_meta_resize() - gets room for a device of another size
 * @meta: the metadata, in use; becomes for the new size
 * @fresh: was made for the new size; gets what @meta does not need any more
 * @grown: what is known stays known
 *
 * Context: preresume, so no write is in map(); may sleep.
 */
void dsync_meta_resize(struct dsync_meta *meta, struct dsync_meta *fresh,
		       bool grown)
{
	int i;

	stop_workers(meta);
	meta->settling = false;
	if (grown) {
		dsync_regions_inherit(fresh->rg, meta->rg,
				      meta->super.dirty_slot);
		meta->owed = true;
	} else if (meta->health != DSYNC_META_UNUSABLE) {
		meta->bypass = true;
		meta->lost = true;
		meta->health = DSYNC_META_FORMATTING;
	}
	swap(meta->rg, fresh->rg);
	swap(meta->wide, fresh->wide);
	for (i = 0; i < DSYNC_NR_SLOTS; i++) {
		swap(meta->todo[i], fresh->todo[i]);
		swap(meta->rest[i], fresh->rest[i]);
	}
}

/**
 * dsync_meta_summarize() - adds to what the status line shows
 * @meta: the metadata
 * @sum: gets the numbers of the metadata
 *
 * Context: under the lock of the epochs.
 */
void dsync_meta_summarize(struct dsync_meta *meta, struct dsync_summary *sum)
{
	sum->uuid = meta->super.uuid;
	sum->active_regions =
		meta->rg->nr_entries - READ_ONCE(meta->rg->nr_free);
	sum->intent_commits = atomic64_read(&meta->nr_commits);
	sum->metadata_writes = atomic64_read(&meta->nr_writes);
	sum->metadata_failures = atomic64_read(&meta->nr_failures);
}
