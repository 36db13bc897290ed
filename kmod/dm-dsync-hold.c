// SPDX-License-Identifier: GPL-2.0-only
/*
 * A hold: what the open epoch froze, as it was at the cut.
 *
 * Notes on the design of the files that belong to it:
 *
 *	here			its life, and which blocks it protects
 *	dm-dsync-copy.c		what it does to writes: has them wait for copies
 *	dm-dsync-hold-target.c	the target: its table line, and reads
 *	dm-dsync-cow.c		where the copies are
 *
 * A hold protects the blocks that are in the frozen set or the seeded one, and
 * neither released nor copied. A write to such a block waits until its old
 * content is in the store; all others pass without a lock. All three facts
 * are monotonic as long as the hold is armed: what is held is fixed, and what
 * is released or copied stays so.
 *
 *	         epoch_begin        fail()              epoch_end, epoch_abort
 *	ready --------------> armed ------> invalid ----------------+
 *	  |                     |              |                    v
 *	  |                     +--------------|----------------> ended
 *	  +---------------------+--------------+----------------> gone
 *	                                  the origin leaves, or is another one
 *
 * There is one setter, and it only goes forward. Whoever may put a bio among
 * the waiting ones looks at the state under the same lock, so after it was
 * armed nobody waits. All waiting bios are let go by the watchdog, which needs
 * neither memory nor a device, however stuck the copies are. Copies that are
 * under way then end when they end; only the destructor waits for them.
 *
 * Reads take no lock. A read goes to the data device first. At its completion,
 * and not before, it is looked at what has become of its blocks:
 *
 *	not armed, released	a write may have come before: error
 *	copied			a write may have come before: take the copy
 *	else			no write was let go before: the data is right
 *
 * For "a write was let go" is always after "this is to be seen":
 *
 *	writer					reader
 *	  publish the copy, or			  read of the data ends
 *	  set released, or not armed		  smp_rmb()
 *	  smp_mb()				  armed? released? copied?
 *	  submit the write
 *
 * If the data has any of the write in it, the read has ended after the write
 * was submitted, and so the reader sees why it was. That is all there is to:
 *
 *	read and write of one block: above; a read that finds the block copied
 *	takes the copy, which is complete before it is published and never
 *	changes, as no place in the store is used twice.
 *
 *	read and release, overflow or end: above; the error may come where the
 *	data would still be right.
 *
 *	release and write: a write that waits for the block goes, even though
 *	the copy is under way; that may become a copy of newer data, which
 *	nobody takes, as "released" comes first.
 *
 *	end and map(), end and reads: the sets are used by map(), the copier
 *	and reads within RCU, after a look at the state. Who ends an epoch sets
 *	the state and waits for them before he changes a set.
 *
 * The next epoch has another hold, with its own store and its own copies.
 *
 * A hold does not depend on the suspension of either device: copies go from
 * and to the devices below. It ends with its origin: a table that takes over
 * with the same DATA_DEV and size leaves it as it is, all else ends it. The
 * origin does not wait for a hold and does not know of its reads, as these use
 * a reference of their own on DATA_DEV.
 *
 * What is needed to protect a block is allocated by the copier before the copy
 * starts; the worst that happens without memory is that the hold fails.
 *
 * Locks, in their order, after those in dm-dsync-meta.c: the hold's lock, a
 * spinlock. Attaching and detaching takes the registry lock and that of the
 * epochs; arming, ending and releasing happen under that of the epochs, and
 * synchronize_rcu(), too. The copier and the watchdog take the hold's lock only.
 */
#include <linux/blkdev.h>
#include <linux/err.h>
#include <linux/slab.h>

#include "dm-dsync-bitmap.h"
#include "dm-dsync-cow.h"
#include "dm-dsync-hold.h"
#include "dm-dsync.h"

static void init_copies(struct dsync_hold *hold)
{
	int i;

	for (i = 0; i < DSYNC_HOLD_COPIES; i++)
		hold->copies[i].hold = hold;
}

/* The queues are apart so that no copy can get into the watchdog's way. */
static bool create_workers(struct dsync_hold *hold)
{
	struct dm_kcopyd_client *kcopyd;

	hold->queue =
		alloc_workqueue("dsync_hold", WQ_MEM_RECLAIM | WQ_UNBOUND, 0);
	hold->rescue =
		alloc_workqueue("dsync_rescue", WQ_MEM_RECLAIM | WQ_UNBOUND, 0);
	if (!hold->queue || !hold->rescue)
		return false;
	kcopyd = dm_kcopyd_client_create(NULL);
	if (IS_ERR(kcopyd))
		return false;
	hold->kcopyd = kcopyd;
	return true;
}

/**
 * dsync_hold_create() - makes a hold that nobody knows yet
 * @geo: how the origin is cut
 * @room: blocks that fit on COW_DEV
 *
 * Return: the hold, or NULL without memory.
 *
 * Context: may sleep.
 */
struct dsync_hold *dsync_hold_create(const struct dsync_geometry *geo, u64 room)
{
	struct dsync_hold *hold = kzalloc(sizeof(*hold), GFP_KERNEL);

	if (!hold)
		return NULL;
	hold->geo = *geo;
	INIT_LIST_HEAD(&hold->node);
	spin_lock_init(&hold->lock);
	bio_list_init(&hold->waiting);
	INIT_WORK(&hold->copier, dsync_hold_copier_work);
	INIT_DELAYED_WORK(&hold->watchdog, dsync_hold_watchdog_work);
	init_copies(hold);

	hold->released = dsync_bitmap_create(dsync_nr_blocks(geo));
	hold->cow = dsync_cow_create(dsync_nr_blocks(geo), room);
	if (!hold->released || !hold->cow || !create_workers(hold))
		goto err_destroy;
	return hold;

err_destroy:
	dsync_hold_destroy(hold);
	return NULL;
}

/**
 * dsync_hold_drain() - waits until nothing is under way any more
 * @hold: the hold; no longer armed, and not found by writes
 *
 * Context: may sleep, as long as a copy hangs.
 */
void dsync_hold_drain(struct dsync_hold *hold)
{
	flush_delayed_work(&hold->watchdog);
	cancel_work_sync(&hold->copier);
	dm_kcopyd_client_destroy(hold->kcopyd);
	hold->kcopyd = NULL;
	/* The last copies have caused it again. */
	cancel_work_sync(&hold->copier);
}

/**
 * dsync_hold_destroy() - frees a hold
 * @hold: the hold or NULL; never used, or drained
 *
 * Context: may sleep.
 */
void dsync_hold_destroy(struct dsync_hold *hold)
{
	if (!hold)
		return;
	if (hold->kcopyd)
		dm_kcopyd_client_destroy(hold->kcopyd);
	if (hold->queue)
		destroy_workqueue(hold->queue);
	if (hold->rescue)
		destroy_workqueue(hold->rescue);
	dsync_cow_destroy(hold->cow);
	dsync_bitmap_destroy(hold->released);
	kfree(hold);
}

/*-----------------------------------------------------------------*/

/* The one setter; returns whether it has changed. */
static bool set_state(struct dsync_hold *hold, enum dsync_hold_state state)
{
	bool changed;

	spin_lock(&hold->lock);
	changed = hold->state < state;
	if (changed) {
		/* What it goes by is there first. */
		smp_store_release(&hold->state, state);
		hold->event = true;
	}
	spin_unlock(&hold->lock);
	smp_mb(); /* see above */
	return changed;
}

/**
 * dsync_hold_fail() - gives up to protect anything: the guest comes first
 * @hold: the hold
 * @why: for the log; a constant
 *
 * Context: does not wait.
 */
void dsync_hold_fail(struct dsync_hold *hold, const char *why)
{
	if (!set_state(hold, DSYNC_HOLD_INVALID))
		return;
	DMERR("%pg: %s; the hold is invalid", hold->data->bdev, why);
	mod_delayed_work(hold->rescue, &hold->watchdog, 0);
}

/**
 * dsync_hold_finish() - ends it
 * @hold: the hold
 * @state: DSYNC_HOLD_ENDED or DSYNC_HOLD_GONE
 *
 * Nobody looks at the sets any more when this returns.
 *
 * Context: may sleep.
 */
void dsync_hold_finish(struct dsync_hold *hold, enum dsync_hold_state state)
{
	if (set_state(hold, state))
		mod_delayed_work(hold->rescue, &hold->watchdog, 0);
	synchronize_rcu();
}

/*-----------------------------------------------------------------*/

static u64 next_held(struct dsync_hold *hold, u64 first, u64 end)
{
	end = dsync_bitmap_next(hold->held[0], first, end);
	return dsync_bitmap_next(hold->held[1], first, end);
}

static u64 next_not_held(struct dsync_hold *hold, u64 first, u64 end)
{
	u64 next = first;

	do {
		first = next;
		next = dsync_bitmap_next_zero(hold->held[0], next, end);
		next = dsync_bitmap_next_zero(hold->held[1], next, end);
	} while (next > first);
	return next;
}

/**
 * dsync_hold_next() - finds the next block that must not be written to yet
 * @hold: the hold
 * @first: where to start
 * @end: where to stop
 *
 * Return: the block, or @end.
 *
 * Context: RCU read section.
 */
u64 dsync_hold_next(struct dsync_hold *hold, u64 first, u64 end)
{
	u64 next;

	/* pairs with set_state(): what it goes by is there */
	if (smp_load_acquire(&hold->state) != DSYNC_HOLD_ARMED)
		return end;
	while ((first = next_held(hold, first, end)) < end) {
		next = dsync_bitmap_next_zero(hold->released, first, end);
		if (next == first &&
		    dsync_cow_find(hold->cow, first) == DSYNC_NO_PLACE)
			break;
		first = max(next, first + 1);
	}
	return first;
}

/**
 * dsync_hold_covers() - says whether blocks can be read
 * @hold: the hold
 * @first: the first block
 * @end: the last one, plus 1
 *
 * Return: whether it is armed, and all of them are held and not released.
 *
 * Context: RCU read section.
 */
bool dsync_hold_covers(struct dsync_hold *hold, u64 first, u64 end)
{
	/* pairs with set_state(), too */
	return smp_load_acquire(&hold->state) == DSYNC_HOLD_ARMED &&
	       next_not_held(hold, first, end) == end &&
	       dsync_bitmap_next(hold->released, first, end) == end;
}

/*-----------------------------------------------------------------*/

/**
 * dsync_hold_set_timeout() - says how long a write may wait for copies
 * @ep: the epochs of the origin
 * @timeout: in jiffies
 *
 * Context: takes the epochs lock.
 */
void dsync_hold_set_timeout(struct dsync_epochs *ep, unsigned long timeout)
{
	struct dsync_hold *hold;

	mutex_lock(&ep->lock);
	ep->hold_timeout = timeout;
	hold = dsync_hold_of(ep);
	if (hold)
		WRITE_ONCE(hold->timeout, timeout);
	mutex_unlock(&ep->lock);
}

/**
 * dsync_hold_arm() - begins to protect what the cut froze, if there is a hold
 * @ep: the epochs, with the sets of the new epoch
 *
 * Context: suspended; under the epochs lock; needs no memory.
 */
void dsync_hold_arm(struct dsync_epochs *ep)
{
	struct dsync_hold *hold = dsync_hold_of(ep);

	if (!hold || hold->state != DSYNC_HOLD_READY)
		return;
	hold->held[0] = ep->sets->map[DSYNC_FROZEN];
	hold->held[1] = ep->sets->map[DSYNC_SEEDED];
	hold->timeout = ep->hold_timeout;
	set_state(hold, DSYNC_HOLD_ARMED);
}

/**
 * dsync_hold_end() - has the sets of an epoch no longer protected
 * @ep: the epochs; the frozen and the seeded set may be changed then
 *
 * A hold that was made during the epoch waits for the next one.
 *
 * Context: under the epochs lock; may sleep.
 */
void dsync_hold_end(struct dsync_epochs *ep)
{
	struct dsync_hold *hold = dsync_hold_of(ep);

	if (hold && hold->state != DSYNC_HOLD_READY)
		dsync_hold_finish(hold, DSYNC_HOLD_ENDED);
}

/**
 * dsync_hold_release() - has blocks no longer protected
 * @ep: the epochs of the origin
 * @first: the first block
 * @count: how many; within the device
 *
 * Return: 0; -ENODATA if no hold is armed; -ENOMEM: then the hold is invalid.
 *
 * Context: takes the epochs lock; may sleep.
 */
int dsync_hold_release(struct dsync_epochs *ep, u64 first, u64 count)
{
	struct dsync_hold *hold;
	int r = -ENODATA;

	mutex_lock(&ep->lock);
	hold = dsync_hold_of(ep);
	if (!hold || READ_ONCE(hold->state) != DSYNC_HOLD_ARMED)
		goto out_unlock;
	r = dsync_bitmap_mark_exactly(hold->released, first, count, GFP_NOIO);
	if (r)
		dsync_hold_fail(hold, "no memory to release blocks");
	else
		queue_work(hold->queue, &hold->copier);
out_unlock:
	mutex_unlock(&ep->lock);
	return r;
}

/**
 * dsync_hold_summarize() - collects what status lines show
 * @hold: the hold
 * @sum: becomes the summary
 */
void dsync_hold_summarize(struct dsync_hold *hold,
			  struct dsync_hold_summary *sum)
{
	sum->state = READ_ONCE(hold->state);
	sum->copies = READ_ONCE(hold->cow->nr_found);
	sum->used = READ_ONCE(hold->cow->nr_taken);
	sum->size = hold->cow->nr_places;
}

/**
 * dsync_hold_status() - does so for the hold of an origin
 * @ep: the epochs of the origin
 * @sum: becomes the summary, if there is a hold
 *
 * Return: whether there is a hold that has not ended.
 *
 * Context: takes the epochs lock.
 */
bool dsync_hold_status(struct dsync_epochs *ep, struct dsync_hold_summary *sum)
{
	struct dsync_hold *hold;

	mutex_lock(&ep->lock);
	hold = dsync_hold_of(ep);
	if (hold)
		dsync_hold_summarize(hold, sum);
	mutex_unlock(&ep->lock);
	return hold && sum->state < DSYNC_HOLD_ENDED;
}
