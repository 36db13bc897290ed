// SPDX-License-Identifier: GPL-2.0-only
/*
 * The writer: writes leaves of the bitmaps, so that intents may be dropped.
 *
 * Notes on the design of this file:
 *
 * One worker writes all leaves, so no leaf is ever under way twice. It does,
 * in this order, what is wanted:
 *
 *	mend	start anew after a failure, or on a blank META_DEV
 *	wide	leaves that very wide writes wait for
 *	retire	a quarter of the regions, when entries run short
 *	settle	all stale leaves, and then a superblock that needs them; this
 *		may take long, so it is done bit by bit
 *	flush	retire all regions
 *	idle	retire the idle ones
 *
 * The bits of a leaf are copied under the lock of the epochs, which is held
 * for 16 leaves at most. In between an epoch may begin, end or be aborted.
 * What is concluded from leaves having been written is therefore only done if
 * no such thing has happened since they were chosen; else they are chosen
 * again.
 */
#include <linux/bitmap.h>
#include <linux/blkdev.h>
#include <linux/rcupdate.h>

#include "dm-dsync-bitmap.h"
#include "dm-dsync-meta.h"

#define MEND_TIME HZ
/* To be written in one go while settling, as others may wait: 4 MiB */
#define SETTLE_LEAVES 1024

static void queue_tick(struct dsync_meta *meta, unsigned long delay)
{
	if (!READ_ONCE(meta->stopping))
		mod_delayed_work(meta->writer_queue, &meta->tick, delay);
}

/*-----------------------------------------------------------------*/

/* Whether a slot has anything that a crash must not lose. */
static bool is_live(struct dsync_meta *meta, unsigned int slot)
{
	return slot == meta->super.dirty_slot ||
	       !uuid_is_null(&meta->ep->sets->ids.open);
}

static void encode_leaf(struct dsync_meta *meta, unsigned int slot,
			unsigned long leaf, void *block)
{
	bool marked = slot == meta->super.dirty_slot;
	struct dsync_bitmap *bm =
		meta->ep->sets->map[marked ? DSYNC_DIRTY : DSYNC_FROZEN];
	u32 generation = 0;

	dsync_regions_written(meta->rg, slot, leaf, marked);
	if (is_live(meta, slot)) {
		generation = meta->super.generation[slot];
		dsync_bitmap_get_bytes(bm, (u64)leaf * DSYNC_LEAF_BYTES,
				       meta->bits, DSYNC_LEAF_BYTES);
	} else {
		memset(meta->bits, 0, DSYNC_LEAF_BYTES);
	}
	dsync_leaf_encode(
		meta->bits, generation, &meta->super.uuid,
		dsync_layout_leaf_sector(&meta->rg->layout, slot, leaf), block);
}

/* Starts to write @nr leaves that are contiguous on META_DEV. */
static void start_leaves(struct dsync_meta *meta, unsigned int slot,
			 unsigned long first, unsigned int nr,
			 struct dsync_io *io)
{
	unsigned int i;

	for (i = 0; i < nr; i++)
		encode_leaf(meta, slot, first + i,
			    io->buf + i * DSYNC_META_BLOCK_BYTES);
	atomic64_inc(&meta->nr_writes);
	dsync_io_start(io, REQ_OP_WRITE | REQ_META,
		       dsync_layout_leaf_sector(&meta->rg->layout, slot, first),
		       nr * DSYNC_META_BLOCK_BYTES);
}

/*
 * An epoch may have ended since the leaves were chosen. What is in a slot
 * that died must stay as long as META_DEV says that it lives, unless these
 * leaves are new.
 */
static bool is_void(struct dsync_meta *meta, unsigned int slot,
		    unsigned long leaf)
{
	return !is_live(meta, slot) && !test_bit(leaf, meta->rg->stale[slot]);
}

static unsigned long run_end(struct dsync_meta *meta, unsigned int slot,
			     unsigned long first)
{
	unsigned long turn_end =
		round_down(first, DSYNC_SLOT_TURN) + DSYNC_SLOT_TURN;
	unsigned long end = first + 1;

	turn_end = min(turn_end, meta->rg->layout.nr_leaves);
	while (end < turn_end && test_bit(end, meta->todo[slot]) &&
	       !is_void(meta, slot, end))
		end++;
	return end;
}

/* Writes the leaves in @todo of one slot; @nr_used counts uses of leaf_io. */
static int write_slot(struct dsync_meta *meta, unsigned int slot,
		      unsigned int *nr_used)
{
	unsigned long nr = meta->rg->layout.nr_leaves, leaf = 0, end;
	struct dsync_io **io;
	int r;

	for (;;) {
		leaf = find_next_bit(meta->todo[slot], nr, leaf);
		if (leaf >= nr)
			return 0;
		io = &meta->leaf_io[*nr_used % DSYNC_LEAF_IOS];
		r = *io ? dsync_io_wait(io) : -ENOMEM;
		if (r)
			return r;

		end = leaf + 1;
		mutex_lock(&meta->ep->lock);
		if (!is_void(meta, slot, leaf)) {
			end = run_end(meta, slot, leaf);
			start_leaves(meta, slot, leaf, end - leaf, *io);
			(*nr_used)++;
		}
		mutex_unlock(&meta->ep->lock);
		leaf = end;
	}
}

static int flush_disk(struct dsync_meta *meta)
{
	return dsync_io_run(&meta->leaf_io[0],
			    REQ_OP_WRITE | REQ_PREFLUSH | REQ_SYNC, 0, 0);
}

/* Makes the leaves in @todo durable, in both slots. */
static int write_todo(struct dsync_meta *meta)
{
	unsigned int i, nr_used = 0;
	int r = 0, error;

	for (i = 0; i < DSYNC_NR_SLOTS && !r; i++)
		r = write_slot(meta, i, &nr_used);
	for (i = 0; i < DSYNC_LEAF_IOS; i++) {
		error = meta->leaf_io[i] ? dsync_io_wait(&meta->leaf_io[i])
					 : -ENOMEM;
		r = r ? r : error;
	}
	if (!r && nr_used)
		r = flush_disk(meta);
	if (r)
		dsync_meta_fail(meta, "writing the bitmap", r);
	return r;
}

/*-----------------------------------------------------------------*/

static void clear_todo(struct dsync_meta *meta)
{
	int i;

	for (i = 0; i < DSYNC_NR_SLOTS; i++)
		bitmap_zero(meta->todo[i], meta->rg->layout.nr_leaves);
}

static void write_wide(struct dsync_meta *meta)
{
	unsigned long nr = meta->rg->layout.nr_leaves;
	unsigned int wanted;

	/* No epoch can begin: the writes that want this are under way. */
	clear_todo(meta);
	spin_lock(&meta->lock);
	bitmap_copy(meta->todo[meta->super.dirty_slot], meta->wide, nr);
	bitmap_zero(meta->wide, nr);
	wanted = meta->wide_wanted;
	spin_unlock(&meta->lock);

	if (write_todo(meta))
		return;
	WRITE_ONCE(meta->wide_done, wanted);
	wake_up_all(&meta->wait);
}

/* Chooses what the retiring regions wait for; tells when that was. */
static unsigned int collect(struct dsync_meta *meta)
{
	unsigned int switches, i;

	clear_todo(meta);
	mutex_lock(&meta->ep->lock);
	for (i = 0; i < DSYNC_NR_SLOTS; i++)
		if (is_live(meta, i))
			dsync_regions_collect(meta->rg, i, meta->todo[i]);
	switches = meta->ep->switches;
	mutex_unlock(&meta->ep->lock);
	return switches;
}

static bool is_current(struct dsync_meta *meta, unsigned int switches)
{
	return meta->ep->switches == switches;
}

/* Retires up to @max regions; returns false if there was none. */
static bool retire(struct dsync_meta *meta, unsigned int max, bool force)
{
	bool done = false;
	unsigned int switches;

	if (!dsync_regions_retire(meta->rg, max, force))
		return false;
	synchronize_rcu();
	while (!done) {
		switches = collect(meta);
		if (write_todo(meta))
			return true;
		mutex_lock(&meta->ep->lock);
		done = is_current(meta, switches);
		if (done)
			dsync_regions_retired(meta->rg);
		mutex_unlock(&meta->ep->lock);
	}
	wake_up_all(&meta->wait);
	return true;
}

static void tidy(struct dsync_meta *meta)
{
	WRITE_ONCE(meta->tidy, true);
	if (!READ_ONCE(meta->stopping))
		queue_work(meta->commit_queue, &meta->commit);
}

static void retire_idle(struct dsync_meta *meta)
{
	retire(meta, meta->rg->nr_entries, false);
	tidy(meta);
}

static void flush_all(struct dsync_meta *meta)
{
	int wanted = atomic_read(&meta->flush_wanted);

	retire(meta, meta->rg->nr_entries, true);
	if (READ_ONCE(meta->bypass))
		return;
	atomic_set(&meta->flush_done, wanted);
	wake_up_all(&meta->wait);
	tidy(meta);
}

/* Chooses all that is stale; the writer may do other things in between. */
static void choose_rest(struct dsync_meta *meta)
{
	int i;

	mutex_lock(&meta->ep->lock);
	meta->settle_switches = meta->ep->switches;
	for (i = 0; i < DSYNC_NR_SLOTS; i++)
		dsync_regions_copy_stale(meta->rg, i, meta->rest[i]);
	mutex_unlock(&meta->ep->lock);
	meta->settling = true;
}

/* Takes some of the rest to be written; returns false if there is none. */
static bool take_some_rest(struct dsync_meta *meta)
{
	unsigned long nr = meta->rg->layout.nr_leaves, leaf, end;
	int i;

	clear_todo(meta);
	for (i = 0; i < DSYNC_NR_SLOTS; i++) {
		leaf = find_first_bit(meta->rest[i], nr);
		end = min(nr, leaf + SETTLE_LEAVES);
		if (leaf == nr)
			continue;
		for_each_set_bit_from(leaf, meta->rest[i], end)
		{
			__clear_bit(leaf, meta->rest[i]);
			__set_bit(leaf, meta->todo[i]);
		}
		return true;
	}
	return false;
}

/* Stores the superblock that was owed, if no epoch has changed meanwhile. */
static void end_settling(struct dsync_meta *meta)
{
	bool was_failing;
	int r = 0;

	meta->settling = false;
	mutex_lock(&meta->ep->lock);
	was_failing = dsync_meta_is_unfit(meta);
	if (is_current(meta, meta->settle_switches))
		r = dsync_meta_settled(meta);
	mutex_unlock(&meta->ep->lock);
	if (r)
		dsync_meta_fail(meta, "writing the superblock", r);
	else if (was_failing && !dsync_meta_is_unfit(meta))
		queue_work(meta->writer_queue, &meta->event);
	wake_up_all(&meta->wait);
}

static void settle(struct dsync_meta *meta)
{
	if (!meta->settling)
		choose_rest(meta);
	if (take_some_rest(meta))
		write_todo(meta);
	else
		end_settling(meta);
}

/*-----------------------------------------------------------------*/

/* As only we store a superblock while it is lost, no lock is held for it. */
static int store_lost(struct dsync_meta *meta)
{
	mutex_lock(&meta->ep->lock);
	dsync_meta_prepare(meta, DSYNC_SUPER_LOST);
	mutex_unlock(&meta->ep->lock);
	return dsync_meta_store(meta);
}

/* Has writes wait for intents again, beginning with none. */
static int restart_intents(struct dsync_meta *meta)
{
	int r;

	meta->settling = false;
	mutex_lock(&meta->commit_lock);
	dsync_regions_reset(meta->rg);
	r = dsync_meta_write_intents(meta);
	if (!r) {
		WRITE_ONCE(meta->owed, true);
		WRITE_ONCE(meta->bypass, false);
		/* Whoever did not wait has marked his blocks by then. */
		synchronize_rcu();
	}
	mutex_unlock(&meta->commit_lock);
	return r;
}

/* META_DEV could not be read before; now? */
static bool identify(struct dsync_meta *meta)
{
	struct dsync_super super;
	enum dsync_health health =
		dsync_meta_identify(meta, &meta->ep->sets->geo, &super);

	mutex_lock(&meta->ep->lock);
	meta->health = health == DSYNC_META_FINE ? DSYNC_META_FAILING : health;
	meta->super = super;
	mutex_unlock(&meta->ep->lock);
	meta->unread = health == DSYNC_META_FAILING;
	return health < DSYNC_META_FAILING;
}

/*
 * Says on META_DEV that what is there is not valid, and starts anew. As long
 * as a transfer that was given up may still change something there, only the
 * first of this is tried, and only once.
 */
static void mend(struct dsync_meta *meta)
{
	bool stray = atomic_read(&meta->disk.in_flight);
	int r;

	if ((stray && meta->warned) ||
	    !dsync_meta_refill(meta, GFP_NOIO | __GFP_NOWARN) ||
	    (meta->unread && !identify(meta)))
		return;
	meta->warned = true;
	r = store_lost(meta);
	if (!r && stray)
		return;
	if (!r)
		r = restart_intents(meta);
	if (r)
		dsync_meta_fail(meta, "writing anew", r);
	else
		meta->warned = false;
}

static bool is_short(const struct dsync_regions *rg)
{
	return READ_ONCE(rg->nr_free) <= rg->nr_entries / 4;
}

/* Does the most urgent of all that is wanted; returns false if it is nothing. */
static bool write_some(struct dsync_meta *meta)
{
	struct dsync_regions *rg = meta->rg;

	if (READ_ONCE(meta->wide_done) != READ_ONCE(meta->wide_wanted))
		write_wide(meta);
	else if (is_short(rg) &&
		 retire(meta, max(rg->nr_entries / 4, 1U), true))
		return true;
	else if (READ_ONCE(meta->owed))
		settle(meta);
	else if (atomic_read(&meta->flush_done) !=
		 atomic_read(&meta->flush_wanted))
		flush_all(meta);
	else if (xchg(&meta->idle_due, false))
		retire_idle(meta);
	else
		return false;
	return true;
}

/**
 * dsync_meta_writer_work() - does what is wanted of the writer
 * @work: of the metadata
 *
 * Context: worker.
 */
void dsync_meta_writer_work(struct work_struct *work)
{
	struct dsync_meta *meta = container_of(work, struct dsync_meta, writer);

	if (READ_ONCE(meta->stopping))
		return;
	if (meta->bypass && meta->health != DSYNC_META_UNUSABLE)
		mend(meta);
	while (!READ_ONCE(meta->bypass) && !READ_ONCE(meta->stopping) &&
	       write_some(meta))
		cond_resched();
	if (READ_ONCE(meta->bypass) && meta->health != DSYNC_META_UNUSABLE)
		queue_tick(meta, MEND_TIME);
}

/**
 * dsync_meta_tick_work() - looks for idle regions, or has mending tried again
 * @work: of the metadata
 *
 * Context: worker.
 */
void dsync_meta_tick_work(struct work_struct *work)
{
	struct dsync_meta *meta =
		container_of(work, struct dsync_meta, tick.work);

	WRITE_ONCE(meta->idle_due, true);
	/* First, as the writer may want to be woken sooner. */
	if (READ_ONCE(meta->rg->nr_free) < meta->rg->nr_entries)
		queue_tick(meta, DSYNC_IDLE_TIME);
	dsync_meta_wake_writer(meta);
}
