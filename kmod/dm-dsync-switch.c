// SPDX-License-Identifier: GPL-2.0-only
/*
 * What an epoch changes in the metadata.
 *
 * Notes on the design of this file:
 *
 * The two slots on META_DEV change roles when an epoch begins. The superblock
 * says which is which and of what generation the leaves in it must be, so one
 * write makes the cut, and nothing is zeroed: what is in the other slot is of
 * an older generation and reads as empty.
 *
 * The dirty set's leaves need not be complete for this, as intents carry
 * over. From then on they stand for both slots, and a region can only be
 * retired when its leaves are durable in both.
 *
 * An abort is done in RAM at once. On META_DEV the epoch stays open until the
 * writer has written all leaves that got blocks by it: after a crash before
 * that, the load aborts it again.
 *
 * While META_DEV says "lost", all this only happens in RAM.
 */
#include <linux/minmax.h>

#include "dm-dsync-bitmap.h"
#include "dm-dsync-meta.h"

static void set_ids(struct dsync_super *super, const struct dsync_ids *ids)
{
	super->epoch = ids->epoch;
	super->previous = ids->previous;
	super->open = ids->open;
	super->ended = ids->ended;
	super->aborted = ids->aborted;
}

/* Stores @next; if that fails, @super stays, but its sequence goes on. */
static int change_super(struct dsync_meta *meta, const struct dsync_super *next)
{
	struct dsync_super before = meta->super;
	int r;

	meta->super = *next;
	if (meta->lost)
		return 0;
	dsync_meta_prepare(meta, 0);
	r = dsync_meta_store(meta);
	if (!r)
		return 0;
	before.sequence = meta->super.sequence;
	meta->super = before;
	dsync_meta_fail(meta, "writing the superblock", r);
	return r;
}

/**
 * dsync_meta_settle() - waits until an epoch can begin
 * @meta: the metadata
 *
 * Return: 0 or -ETIMEDOUT.
 *
 * Context: may sleep; holds no lock.
 */
int dsync_meta_settle(struct dsync_meta *meta)
{
	dsync_meta_wake_writer(meta);
	if (!wait_event_timeout(meta->wait, !dsync_meta_is_owed(meta),
				meta->disk.timeout))
		return -ETIMEDOUT;
	return 0;
}

/**
 * dsync_meta_settled() - stores the superblock that was owed
 * @meta: the metadata; all leaves were written
 *
 * Return: 0 or a negative error.
 *
 * Context: writer, under the lock of the epochs.
 */
int dsync_meta_settled(struct dsync_meta *meta)
{
	const struct dsync_sets *sets = meta->ep->sets;
	int r;

	if (READ_ONCE(meta->bypass))
		return 0;
	set_ids(&meta->super, &sets->ids);
	meta->super.data_sectors = sets->geo.sectors;
	meta->super.state = sets->gap;
	meta->super.suspect_blocks = sets->suspect;
	dsync_meta_prepare(meta, 0);
	r = dsync_meta_store(meta);
	if (r)
		return r;
	/* A commit may have failed meanwhile; then all begins anew. */
	spin_lock(&meta->lock);
	if (!meta->bypass) {
		WRITE_ONCE(meta->owed, false);
		WRITE_ONCE(meta->lost, false);
		WRITE_ONCE(meta->health, DSYNC_META_FINE);
	}
	spin_unlock(&meta->lock);
	return 0;
}

/**
 * dsync_meta_begin() - has the dirty set on META_DEV become the frozen one
 * @meta: the metadata, not owed a superblock
 * @ids: the epochs as they are to be
 *
 * Return: 0 or a negative error: then nothing has changed in RAM.
 *
 * Context: suspended; under the lock of the epochs; needs no memory.
 */
int dsync_meta_begin(struct dsync_meta *meta, const struct dsync_ids *ids)
{
	struct dsync_super next = meta->super;
	unsigned int slot = !next.dirty_slot;
	int r;

	next.generation[slot] = max(next.generation[0], next.generation[1]) + 1;
	next.dirty_slot = slot;
	set_ids(&next, ids);
	r = change_super(meta, &next);
	if (r)
		return r;
	/* While lost, what the slot holds is to be written whatever it is. */
	if (!meta->lost)
		dsync_regions_drop(meta->rg, slot);
	dsync_regions_switch(meta->rg, slot);
	return 0;
}

/**
 * dsync_meta_end() - forgets the frozen set on META_DEV
 * @meta: the metadata
 * @ids: the epochs as they are to be
 *
 * Return: 0 or a negative error: then nothing has changed in RAM.
 *
 * Context: under the lock of the epochs.
 */
int dsync_meta_end(struct dsync_meta *meta, const struct dsync_ids *ids)
{
	struct dsync_super next = meta->super;
	int r;

	next.state = DSYNC_CLEAN;
	next.suspect_blocks = 0;
	set_ids(&next, ids);
	r = change_super(meta, &next);
	if (r)
		return r;
	if (!meta->lost)
		dsync_regions_drop(meta->rg, !next.dirty_slot);
	return 0;
}

/**
 * dsync_meta_abort() - prepares for the frozen set to become dirty again
 * @meta: the metadata
 * @frozen: the frozen set, before that
 *
 * Context: under the lock of the epochs.
 */
void dsync_meta_abort(struct dsync_meta *meta,
		      const struct dsync_bitmap *frozen)
{
	unsigned int slot = meta->super.dirty_slot;
	unsigned long page = 0;

	while ((page = dsync_bitmap_next_page(frozen, page)) <
	       frozen->nr_pages) {
		u64 first = (u64)page << DSYNC_PAGE_SHIFT;

		dsync_regions_stale(meta->rg, slot, first,
				    min_t(u64, DSYNC_PAGE_BITS,
					  frozen->nr_bits - first));
		page++;
	}
	if (!meta->lost)
		dsync_regions_drop(meta->rg, !slot);
	WRITE_ONCE(meta->owed, true);
	dsync_meta_wake_writer(meta);
}
