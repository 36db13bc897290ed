// SPDX-License-Identifier: GPL-2.0-only
/*
 * What a hold does to writes: has them wait until old content was copied.
 *
 * Notes on the design of this file:
 *
 * A write that waits does not know what for. Whenever a copy has ended, the
 * copier looks at all writes that wait, in the order they came: what has no
 * protected block left goes, and for the others as many copies are begun as
 * there is room for. Writes that follow each other share a copy, up to
 * DSYNC_COPY_SECTORS. So one worker, and the blocks themselves, are all there
 * is to keep track of.
 *
 * The copier publishes copies before it looks, and lets writes go before it
 * starts new copies: that may need memory, and so may take its time. It never
 * has a write in its hands while it might get stuck.
 *
 * A discard has no content that would be worth a copy of the old one: if it
 * touches a protected block, it succeeds without being done. Its blocks are
 * dirty; only the space is not freed.
 */
#include <linux/blkdev.h>
#include <linux/sched/mm.h>

#include "dm-dsync-cow.h"
#include "dm-dsync-hold.h"
#include "dm-dsync.h"

static struct dsync_wait *wait_of(struct bio *bio)
{
	return dm_per_bio_data(bio, sizeof(struct dsync_wait));
}

/* Puts a bio among the waiting ones, unless nobody waits any more. */
static bool enqueue(struct dsync_hold *hold, struct bio *bio)
{
	bool armed, first;

	spin_lock(&hold->lock);
	armed = hold->state == DSYNC_HOLD_ARMED;
	first = bio_list_empty(&hold->waiting);
	if (armed)
		bio_list_add(&hold->waiting, bio);
	spin_unlock(&hold->lock);
	if (!armed)
		return false;

	queue_work(hold->queue, &hold->copier);
	if (first)
		queue_delayed_work(hold->rescue, &hold->watchdog,
				   READ_ONCE(hold->timeout));
	return true;
}

/**
 * dsync_hold_take() - takes a write that must not go on yet
 * @hold: the hold
 * @bio: the write, remapped to the data device
 *
 * Return: whether it was taken.
 *
 * Context: RCU read section.
 */
bool dsync_hold_take(struct dsync_hold *hold, struct bio *bio)
{
	struct dsync_wait *wait = wait_of(bio);
	u64 first, end;

	if (READ_ONCE(hold->state) != DSYNC_HOLD_ARMED)
		return false;
	first = dsync_bio_first(&hold->geo, bio);
	end = first + dsync_bio_blocks(&hold->geo, bio);
	first = dsync_hold_next(hold, first, end);
	if (first == end)
		return false;
	if (bio_op(bio) == REQ_OP_DISCARD) {
		bio_endio(bio);
		return true;
	}
	if (bio->bi_opf & REQ_NOWAIT) {
		bio_wouldblock_error(bio);
		return true;
	}
	wait->since = jiffies;
	wait->next = first;
	atomic64_inc(&hold->nr_delayed);
	return enqueue(hold, bio);
}

static void submit_all(struct bio_list *bios)
{
	struct bio *bio;

	while ((bio = bio_list_pop(bios)))
		submit_bio_noacct(bio);
}

/*-----------------------------------------------------------------*/

static bool is_in_time(struct dsync_hold *hold)
{
	struct bio *oldest = bio_list_peek(&hold->waiting);
	unsigned long end;

	if (!oldest)
		return true;
	end = wait_of(oldest)->since + READ_ONCE(hold->timeout);
	if (time_after_eq(jiffies, end))
		return false;
	queue_delayed_work(hold->rescue, &hold->watchdog, end - jiffies);
	return true;
}

/**
 * dsync_hold_watchdog_work() - lets writes go that have waited for too long
 * @work: of the hold
 *
 * And all others with them. This also is what happens when the hold is over.
 *
 * Context: worker; waits for nobody but the data device.
 */
void dsync_hold_watchdog_work(struct work_struct *work)
{
	struct dsync_hold *hold = container_of(to_delayed_work(work),
					       struct dsync_hold, watchdog);
	struct bio_list bios = BIO_EMPTY_LIST;
	bool late, event;

	spin_lock(&hold->lock);
	late = hold->state == DSYNC_HOLD_ARMED && !is_in_time(hold);
	spin_unlock(&hold->lock);
	if (late)
		dsync_hold_fail(hold,
				"a copy has taken more than hold_timeout_ms");

	spin_lock(&hold->lock);
	if (hold->state > DSYNC_HOLD_ARMED) {
		bios = hold->waiting;
		bio_list_init(&hold->waiting);
	}
	event = hold->event;
	hold->event = false;
	spin_unlock(&hold->lock);

	submit_all(&bios);
	if (event)
		dm_table_event(hold->ti->table);
}

/*-----------------------------------------------------------------*/

/* Publishes what was copied. */
static void collect(struct dsync_hold *hold)
{
	struct dsync_copy *copy;
	unsigned int i;

	for (copy = hold->copies; copy < hold->copies + DSYNC_HOLD_COPIES;
	     copy++) {
		/* pairs with copied(): the rest of it is there */
		if (smp_load_acquire(&copy->state) != DSYNC_COPY_DONE)
			continue;
		if (copy->failed)
			dsync_hold_fail(hold, copy->failed);
		else
			for (i = 0; i < copy->count; i++)
				dsync_cow_publish(hold->cow, copy->first + i,
						  copy->place + i);
		copy->state = DSYNC_COPY_FREE;
	}
}

static struct dsync_copy *copy_of(struct dsync_hold *hold, u64 block)
{
	struct dsync_copy *copy;

	for (copy = hold->copies; copy < hold->copies + DSYNC_HOLD_COPIES;
	     copy++)
		if (READ_ONCE(copy->state) != DSYNC_COPY_FREE &&
		    block - copy->first < copy->count)
			return copy;
	return NULL;
}

/* Adds a block to @last, or begins another one; NULL if there is none. */
static struct dsync_copy *choose(struct dsync_hold *hold, u64 block,
				 struct dsync_copy *last)
{
	unsigned int max = DSYNC_COPY_SECTORS >> hold->geo.block_shift;
	struct dsync_copy *copy;

	if (last && block == last->first + last->count && last->count < max) {
		last->count++;
		return last;
	}
	for (copy = hold->copies; copy < hold->copies + DSYNC_HOLD_COPIES;
	     copy++) {
		if (READ_ONCE(copy->state) != DSYNC_COPY_FREE)
			continue;
		copy->state = DSYNC_COPY_CHOSEN;
		copy->first = block;
		copy->count = 1;
		return copy;
	}
	return NULL;
}

/* Whether a write must wait; chooses what to copy for it. */
static bool must_wait(struct dsync_hold *hold, struct bio *bio,
		      struct dsync_copy **last)
{
	u64 end = dsync_bio_first(&hold->geo, bio) +
		  dsync_bio_blocks(&hold->geo, bio);
	struct dsync_wait *wait = wait_of(bio);
	struct dsync_copy *copy;
	u64 block;

	wait->next = dsync_hold_next(hold, wait->next, end);
	for (block = wait->next; block < end;
	     block = dsync_hold_next(hold, block, end)) {
		copy = copy_of(hold, block);
		if (copy) {
			block = copy->first + copy->count;
			continue;
		}
		copy = choose(hold, block, *last);
		if (!copy)
			break;
		*last = copy;
		block++;
	}
	return wait->next < end;
}

/* Parts the writes that wait into those that go, and those that stay. */
static void sort_out(struct dsync_hold *hold, struct bio_list *go)
{
	struct bio_list stay = BIO_EMPTY_LIST;
	struct dsync_copy *last = NULL;
	struct bio *bio;

	rcu_read_lock();
	spin_lock(&hold->lock);
	while (hold->state == DSYNC_HOLD_ARMED &&
	       (bio = bio_list_pop(&hold->waiting)))
		bio_list_add(must_wait(hold, bio, &last) ? &stay : go, bio);
	bio_list_merge(&stay, &hold->waiting);
	hold->waiting = stay;
	spin_unlock(&hold->lock);
	rcu_read_unlock();
}

static void copied(int read_err, unsigned long write_err, void *context)
{
	struct dsync_copy *copy = context;

	copy->failed = read_err    ? "the data device cannot be read"
		       : write_err ? "COW_DEV cannot be written to"
				   : NULL;
	/* The copier may use it for another one from here on. */
	smp_store_release(&copy->state, DSYNC_COPY_DONE);
	queue_work(copy->hold->queue, &copy->hold->copier);
}

static void start(struct dsync_hold *hold, struct dsync_copy *copy)
{
	unsigned int shift = hold->geo.block_shift;
	struct dm_io_region from = {
		.bdev = hold->data->bdev,
		.sector = (sector_t)copy->first << shift,
		.count = (sector_t)copy->count << shift,
	};
	struct dm_io_region to = {.bdev = hold->store->bdev};

	/* The last block may be short. */
	from.count = min(from.count, hold->geo.sectors - from.sector);
	to.sector = (sector_t)copy->place << shift;
	to.count = from.count;
	atomic64_inc(&hold->nr_jobs);
	copy->state = DSYNC_COPY_RUNNING;
	dm_kcopyd_copy(hold->kcopyd, &from, 1, &to, 0, copied, copy);
}

static void start_chosen(struct dsync_hold *hold)
{
	struct dsync_copy *copy;
	int r;

	for (copy = hold->copies; copy < hold->copies + DSYNC_HOLD_COPIES;
	     copy++) {
		if (READ_ONCE(copy->state) != DSYNC_COPY_CHOSEN)
			continue;
		if (READ_ONCE(hold->state) != DSYNC_HOLD_ARMED) {
			copy->state = DSYNC_COPY_FREE;
			continue;
		}
		r = dsync_cow_take(hold->cow, copy->count, &copy->place);
		if (!r) {
			start(hold, copy);
			continue;
		}
		copy->state = DSYNC_COPY_FREE;
		dsync_hold_fail(hold, r == -ENOSPC ? "COW_DEV is full"
						   : "no memory for copies");
	}
}

/**
 * dsync_hold_copier_work() - lets writes go, and begins copies
 * @work: of the hold
 *
 * Context: worker.
 */
void dsync_hold_copier_work(struct work_struct *work)
{
	struct dsync_hold *hold = container_of(work, struct dsync_hold, copier);
	struct bio_list go = BIO_EMPTY_LIST;
	unsigned int noio = memalloc_noio_save();

	collect(hold);
	sort_out(hold, &go);
	submit_all(&go);
	start_chosen(hold);
	memalloc_noio_restore(noio);
}
