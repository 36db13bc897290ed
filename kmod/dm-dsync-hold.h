/* SPDX-License-Identifier: GPL-2.0-only */
/* A hold: what the open epoch froze, as it was at the cut. */
#ifndef DM_DSYNC_HOLD_H
#define DM_DSYNC_HOLD_H

#include <linux/bio.h>
#include <linux/device-mapper.h>
#include <linux/dm-kcopyd.h>
#include <linux/list.h>
#include <linux/rcupdate.h>
#include <linux/spinlock.h>
#include <linux/workqueue.h>

#include "dm-dsync-epoch.h"

struct dsync_bitmap;
struct dsync_cow;
struct dsync_hold;

/* Copies that may be under way at a time, and how much each has at most */
#define DSYNC_HOLD_COPIES 64
#define DSYNC_COPY_SECTORS 1024U

/* A hold only ever moves on to a later one of these. */
enum dsync_hold_state {
	DSYNC_HOLD_READY,   /* waits for an epoch to begin */
	DSYNC_HOLD_ARMED,   /* protects what that froze */
	DSYNC_HOLD_INVALID, /* it could not: newer data may be in its place */
	DSYNC_HOLD_ENDED,   /* the epoch has ended, or was aborted */
	DSYNC_HOLD_GONE,    /* the origin is no more, or is another one now */
};

enum dsync_copy_state {
	DSYNC_COPY_FREE,
	DSYNC_COPY_CHOSEN,
	DSYNC_COPY_RUNNING,
	DSYNC_COPY_DONE,
};

/**
 * struct dsync_copy - a copy of neighbouring blocks
 * @hold: whose
 * @state: CHOSEN and FREE are set by the copier, under its lock; RUNNING by
 *	the copier; DONE by kcopyd
 * @failed: what could not be done, or NULL
 * @first: the first block
 * @count: how many
 * @place: where in the store
 */
struct dsync_copy {
	struct dsync_hold *hold;
	enum dsync_copy_state state;
	const char *failed;
	u64 first;
	unsigned int count;
	u64 place;
};

/**
 * struct dsync_wait - what is kept with each bio of the origin
 * @since: when it began to wait for copies, in jiffies
 * @next: blocks before this one need not be looked at again
 */
struct dsync_wait {
	unsigned long since;
	u64 next;
};

/**
 * struct dsync_hold - a hold
 * @node: in the registry's list
 * @ep: the epochs of the origin while these have us; guarded by the registry
 *	lock
 * @ti: the target
 * @origin: the device whose blocks are held
 * @data: what the origin has its blocks on
 * @store: COW_DEV
 * @geo: how the origin is cut
 * @lock: protects changes of @state, @event, @waiting and some of @copies
 * @state: read without the lock
 * @event: user space is to be told of a change
 * @held: what is held, from the cut to the end of the epoch: constant, but
 *	to be used within RCU
 * @released: blocks that need no protection any more; only grows
 * @cow: where copies are; changed by the copier only
 * @timeout: how long a write may wait, in jiffies
 * @waiting: writes that wait for copies, in the order they came
 * @copies: those under way
 * @kcopyd: does them
 * @queue: runs @copier, and what reads need done
 * @copier: has blocks copied, and lets writes go
 * @rescue: runs @watchdog, which must not wait for anybody
 * @watchdog: lets writes go if they have waited for too long
 * @nr_jobs: statistics
 * @nr_delayed: statistics
 */
struct dsync_hold {
	struct list_head node;
	struct dsync_epochs *ep;
	struct dm_target *ti;
	dev_t origin;
	struct dm_dev *data;
	struct dm_dev *store;
	struct dsync_geometry geo;
	spinlock_t lock;
	enum dsync_hold_state state;
	bool event;
	const struct dsync_bitmap *held[2];
	struct dsync_bitmap *released;
	struct dsync_cow *cow;
	unsigned long timeout;
	struct bio_list waiting;
	struct dsync_copy copies[DSYNC_HOLD_COPIES];
	struct dm_kcopyd_client *kcopyd;
	struct workqueue_struct *queue;
	struct work_struct copier;
	struct workqueue_struct *rescue;
	struct delayed_work watchdog;
	atomic64_t nr_jobs;
	atomic64_t nr_delayed;
};

/* What status lines tell of a hold; counted in blocks. */
struct dsync_hold_summary {
	enum dsync_hold_state state;
	u64 copies;
	u64 used;
	u64 size;
};

/* dm-dsync-hold.c */
struct dsync_hold *dsync_hold_create(const struct dsync_geometry *geo,
				     u64 room);
void dsync_hold_drain(struct dsync_hold *hold);
void dsync_hold_destroy(struct dsync_hold *hold);
void dsync_hold_fail(struct dsync_hold *hold, const char *why);
void dsync_hold_finish(struct dsync_hold *hold, enum dsync_hold_state state);

u64 dsync_hold_next(struct dsync_hold *hold, u64 first, u64 end);
bool dsync_hold_covers(struct dsync_hold *hold, u64 first, u64 end);

void dsync_hold_set_timeout(struct dsync_epochs *ep, unsigned long timeout);
void dsync_hold_arm(struct dsync_epochs *ep);
void dsync_hold_end(struct dsync_epochs *ep);
int dsync_hold_release(struct dsync_epochs *ep, u64 first, u64 count);
void dsync_hold_summarize(struct dsync_hold *hold,
			  struct dsync_hold_summary *sum);
bool dsync_hold_status(struct dsync_epochs *ep, struct dsync_hold_summary *sum);

/* dm-dsync-copy.c */
bool dsync_hold_take(struct dsync_hold *hold, struct bio *bio);
void dsync_hold_copier_work(struct work_struct *work);
void dsync_hold_watchdog_work(struct work_struct *work);

/* dm-dsync-hold-target.c */
int dsync_hold_target_init(void);
void dsync_hold_target_exit(void);

static inline struct dsync_hold *dsync_hold_of(struct dsync_epochs *ep)
{
	return rcu_dereference_protected(ep->hold, lockdep_is_held(&ep->lock));
}

/**
 * dsync_hold_delays() - has a write wait if a hold needs its blocks
 * @ep: the epochs of the origin
 * @bio: the write, remapped to the data device, ready to be submitted
 *
 * Return: true if the bio was taken: it will be submitted, or has ended.
 *
 * Context: does not sleep.
 */
static inline bool dsync_hold_delays(struct dsync_epochs *ep, struct bio *bio)
{
	struct dsync_hold *hold;
	bool taken;

	if (!rcu_access_pointer(ep->hold))
		return false;
	rcu_read_lock();
	hold = rcu_dereference(ep->hold);
	taken = hold && dsync_hold_take(hold, bio);
	rcu_read_unlock();
	return taken;
}

#endif
