/* SPDX-License-Identifier: GPL-2.0-only */
/* Metadata: what makes a device's sets survive a crash. */
#ifndef DM_DSYNC_META_H
#define DM_DSYNC_META_H

#include <linux/bio.h>
#include <linux/spinlock.h>
#include <linux/wait.h>
#include <linux/workqueue.h>

#include "dm-dsync-codec.h"
#include "dm-dsync-epoch.h"
#include "dm-dsync-io.h"
#include "dm-dsync-region.h"

/* Leaves are written by so many transfers at a time. */
#define DSYNC_LEAF_IOS 8

/* A region is idle when it was not written to for one to two of these. */
#define DSYNC_IDLE_TIME (5 * HZ)

enum dsync_health {
	DSYNC_META_FINE,
	DSYNC_META_FORMATTING, /* nothing is durable yet, and nobody thinks so */
	DSYNC_META_FAILING,    /* the writer tries to mend it */
	DSYNC_META_UNUSABLE,   /* what is there is not ours: never written to */
};

/* What is on META_DEV, as dsync_meta_probe() found it. */
enum dsync_find {
	DSYNC_FOUND_SUPER,
	DSYNC_FOUND_BLANK,
	DSYNC_FOUND_UNKNOWN,
	DSYNC_FOUND_NOTHING, /* it could not be read */
};

/**
 * struct dsync_meta - the metadata of one mapped device
 * @disk: META_DEV
 * @ep: whose sets it keeps; NULL until it is in use
 * @rg: the regions and leaves
 * @super: the superblock as it is on META_DEV; guarded, as all up to @bypass,
 *	by the lock of @ep
 * @owed: @super is behind, and has to be until all stale leaves are written
 * @lost: META_DEV says, or is to say, that the bitmaps there are not valid;
 *	so it need not follow the epochs
 * @health: see there
 * @bypass: writes do not wait for intents; read by map() within RCU
 * @suspending: somebody waits for the device to be suspended
 * @stopping: no more work is to be begun
 * @tidy: entries that were freed are to be cleared on META_DEV, too
 * @warned: by the writer: it was tried to say on META_DEV that this fails
 * @unread: by the writer: nobody knows yet what is on META_DEV
 * @settling: by the writer: it is about to write all that is stale
 * @idle_due: idle regions are to be retired
 * @lock: protects @waiting, @wide and the counts of @wide
 * @waiting: writes that wait for intents
 * @wait: for progress of whatever kind
 * @commit_lock: held while intents are written
 * @commit_queue: runs @commit
 * @writer_queue: runs the others, so that @commit can wait for them
 * @commit: makes intents durable
 * @writer: writes leaves, and mends
 * @tick: looks for idle regions, or tries to mend again
 * @event: tells user space of a change of health
 * @commit_io: under @commit_lock
 * @super_io: under the lock of @ep or, while @lost, by @writer
 * @leaf_io: used by @writer
 * @bits: used by @writer, DSYNC_LEAF_BYTES
 * @todo: used by @writer: for each slot, the leaves to be written
 * @rest: used by @writer: those that are to follow, to settle
 * @settle_switches: used by @writer: the sets' switches when those were chosen
 * @error: of the last failure
 * @wide: leaves that writes wait for
 * @wide_wanted: counts requests to write those
 * @wide_done: up to which they were
 * @flush_wanted: counts requests to retire everything
 * @flush_done: up to which it was
 * @nr_commits: statistics
 * @nr_writes: statistics
 * @nr_failures: statistics
 */
struct dsync_meta {
	struct dsync_disk disk;
	struct dsync_epochs *ep;
	struct dsync_regions *rg;
	struct dsync_super super;
	bool owed;
	bool lost;
	enum dsync_health health;
	bool bypass;
	bool suspending;
	bool stopping;
	bool tidy;
	bool warned;
	bool unread;
	bool settling;
	bool idle_due;
	spinlock_t lock;
	struct bio_list waiting;
	wait_queue_head_t wait;
	struct mutex commit_lock;
	struct workqueue_struct *commit_queue;
	struct workqueue_struct *writer_queue;
	struct work_struct commit;
	struct work_struct writer;
	struct delayed_work tick;
	struct work_struct event;
	struct dsync_io *commit_io;
	struct dsync_io *super_io;
	struct dsync_io *leaf_io[DSYNC_LEAF_IOS];
	void *bits;
	unsigned long *todo[DSYNC_NR_SLOTS];
	unsigned long *rest[DSYNC_NR_SLOTS];
	unsigned int settle_switches;
	int error;
	unsigned long *wide;
	unsigned int wide_wanted;
	unsigned int wide_done;
	atomic_t flush_wanted;
	atomic_t flush_done;
	atomic64_t nr_commits;
	atomic64_t nr_writes;
	atomic64_t nr_failures;
};

/* dm-dsync-meta.c */
struct dsync_meta *dsync_meta_create(struct block_device *bdev,
				     const struct dsync_geometry *geo,
				     const struct dsync_super *super,
				     unsigned int timeout_ms);
void dsync_meta_destroy(struct dsync_meta *meta);
void dsync_meta_start(struct dsync_meta *meta, struct dsync_epochs *ep);
void dsync_meta_fence(struct dsync_meta *meta);
void dsync_meta_close(struct dsync_meta *meta, bool clean);
void dsync_meta_resize(struct dsync_meta *meta, struct dsync_meta *fresh,
		       bool grown);
bool dsync_meta_refill(struct dsync_meta *meta, gfp_t gfp);
void dsync_meta_summarize(struct dsync_meta *meta, struct dsync_summary *sum);
void dsync_meta_prepare(struct dsync_meta *meta, unsigned int flags);
int dsync_meta_store(struct dsync_meta *meta);
void dsync_meta_wake_writer(struct dsync_meta *meta);
void dsync_meta_fail(struct dsync_meta *meta, const char *what, int error);

/* dm-dsync-switch.c */
int dsync_meta_settled(struct dsync_meta *meta);
int dsync_meta_settle(struct dsync_meta *meta);
int dsync_meta_begin(struct dsync_meta *meta, const struct dsync_ids *ids);
int dsync_meta_end(struct dsync_meta *meta, const struct dsync_ids *ids);
void dsync_meta_abort(struct dsync_meta *meta,
		      const struct dsync_bitmap *frozen);

/* dm-dsync-flush.c */
void dsync_meta_suspending(struct dsync_meta *meta, bool suspending);
int dsync_meta_flush(struct dsync_meta *meta);

/* dm-dsync-probe.c */
enum dsync_find dsync_meta_probe(struct dsync_io **io,
				 struct dsync_super *super);

/* dm-dsync-load.c */
enum dsync_health dsync_meta_identify(struct dsync_meta *meta,
				      const struct dsync_geometry *geo,
				      struct dsync_super *super);
void dsync_meta_load(struct dsync_meta *meta, struct dsync_sets *sets,
		     bool trusted);

/* dm-dsync-commit.c */
int dsync_meta_write_intents(struct dsync_meta *meta);
void dsync_meta_commit_work(struct work_struct *work);
void dsync_meta_defer(struct dsync_meta *meta, struct bio *bio);
void dsync_meta_submit(struct dsync_meta *meta, struct bio_list *bios);

/* dm-dsync-writer.c */
void dsync_meta_writer_work(struct work_struct *work);
void dsync_meta_tick_work(struct work_struct *work);

/* An epoch cannot begin before dsync_meta_settle(). */
static inline bool dsync_meta_is_owed(const struct dsync_meta *meta)
{
	return READ_ONCE(meta->owed) && !READ_ONCE(meta->lost);
}

/* The one can go on with what the other has in RAM. */
static inline bool dsync_meta_is_alike(const struct dsync_meta *a,
				       const struct dsync_meta *b)
{
	return a->rg->shift == b->rg->shift &&
	       a->rg->nr_entries == b->rg->nr_entries;
}

/* Changes are kept in RAM only, though they should not. */
static inline bool dsync_meta_is_unfit(const struct dsync_meta *meta)
{
	return READ_ONCE(meta->health) >= DSYNC_META_FAILING;
}

/**
 * dsync_meta_ready() - whether a write may go on at once
 * @meta: the metadata
 * @first: its first block, marked already
 * @count: how many, at least 1
 *
 * Context: RCU read section, begun before the blocks were marked.
 */
static inline bool dsync_meta_ready(struct dsync_meta *meta, u64 first,
				    u64 count)
{
	return READ_ONCE(meta->bypass) ||
	       dsync_regions_ready(meta->rg, first, count);
}

#endif
