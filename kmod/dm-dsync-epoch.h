/* SPDX-License-Identifier: GPL-2.0-only */
/* The epochs of a device: what is dirty, since when, and who may switch. */
#ifndef DM_DSYNC_EPOCH_H
#define DM_DSYNC_EPOCH_H

#include <linux/bio.h>
#include <linux/mutex.h>
#include <linux/types.h>
#include <linux/uuid.h>

struct dsync_bitmap;
struct dsync_hold;
struct dsync_meta;

enum dsync_state {
	DSYNC_CLEAN,
	DSYNC_RECOVERED,
	DSYNC_DEGRADED,
	DSYNC_LOST,
};

enum dsync_set {
	DSYNC_DIRTY,  /* changed in the running epoch; map() marks it */
	DSYNC_FROZEN, /* the dirty set that the open epoch took */
	DSYNC_SEED,   /* to be held at the next epoch_begin, too */
	DSYNC_SEEDED, /* the seed that the open epoch took */
	DSYNC_NR_SETS,
};

/**
 * struct dsync_geometry - how a device is cut into blocks
 * @sectors: its length
 * @block_shift: log2 of the sectors in a block
 */
struct dsync_geometry {
	sector_t sectors;
	unsigned int block_shift;
};

static inline u64 dsync_nr_blocks(const struct dsync_geometry *geo)
{
	u64 last = ((u64)1 << geo->block_shift) - 1;

	return ((u64)geo->sectors + last) >> geo->block_shift;
}

/* The first block that a bio touches, and how many it touches; not empty */
static inline u64 dsync_bio_first(const struct dsync_geometry *geo,
				  const struct bio *bio)
{
	return (u64)bio->bi_iter.bi_sector >> geo->block_shift;
}

static inline u64 dsync_bio_blocks(const struct dsync_geometry *geo,
				   const struct bio *bio)
{
	u64 last = (u64)bio_end_sector(bio) - 1;

	return (last >> geo->block_shift) - dsync_bio_first(geo, bio) + 1;
}

/**
 * struct dsync_ids - the epochs that are remembered; each may be nil
 * @epoch: at which the dirty set began
 * @previous: the one before that, for epoch_abort
 * @open: the epoch whose frozen set is still owed
 * @ended: the last one that ended
 * @aborted: the last one that was aborted
 */
struct dsync_ids {
	uuid_t epoch;
	uuid_t previous;
	uuid_t open;
	uuid_t ended;
	uuid_t aborted;
};

/**
 * struct dsync_sets - what is known of a device
 * @geo: how it is cut
 * @ids: the epochs
 * @gap: how far the dirty set can be trusted; never DSYNC_DEGRADED
 * @suspect: blocks that are dirty only because of a crash, about
 * @map: one bitmap of each kind
 */
struct dsync_sets {
	struct dsync_geometry geo;
	struct dsync_ids ids;
	enum dsync_state gap;
	u64 suspect;
	struct dsync_bitmap *map[DSYNC_NR_SETS];
};

struct dsync_sets *dsync_sets_create(const struct dsync_geometry *geo);
void dsync_sets_destroy(struct dsync_sets *sets);

/**
 * struct dsync_epochs - the epochs of one mapped device
 * @lock: protects all below; see dm-dsync-epoch.c for what may happen under it
 * @sets: read without the lock by map() only, as they are exchanged only
 *	while the device is suspended; NULL before the first resume
 * @meta: what makes them durable, or NULL; read by map() likewise
 * @hold: what protects the frozen set, or NULL; read within RCU by map()
 * @hold_timeout: how long writes may wait for it, in jiffies
 * @switches: counts changes of the sets, for those who drop the lock
 * @suspended: no I/O can reach map(); this is ours, not dm's
 * @suspends: how often that came true
 */
struct dsync_epochs {
	struct mutex lock;
	struct dsync_sets *sets;
	struct dsync_meta *meta;
	struct dsync_hold __rcu *hold;
	unsigned long hold_timeout;
	unsigned int switches;
	bool suspended;
	u64 suspends;
};

/* What the status line tells of the epochs. */
struct dsync_summary {
	enum dsync_state state;
	uuid_t epoch;
	uuid_t open;
	u64 suspends;
	u64 dirty;
	u64 frozen;
	u64 suspect;
	u64 coarse_marks;
	/* Of the metadata */
	uuid_t uuid;
	unsigned int active_regions;
	u64 intent_commits;
	u64 metadata_writes;
	u64 metadata_failures;
};

void dsync_epochs_init(struct dsync_epochs *ep);
void dsync_epochs_exit(struct dsync_epochs *ep);

void dsync_epochs_orphan(struct dsync_epochs *ep);
char *dsync_epochs_refuse(struct dsync_epochs *ep,
			  const struct dsync_geometry *geo, bool same_meta);
struct dsync_sets *dsync_epochs_adopt(struct dsync_epochs *ep,
				      struct dsync_sets *fresh,
				      struct dsync_meta *meta, bool known);
void dsync_epochs_suspended(struct dsync_epochs *ep);
void dsync_epochs_resumed(struct dsync_epochs *ep);

int dsync_epoch_begin(struct dsync_epochs *ep, const uuid_t *id);
int dsync_epoch_end(struct dsync_epochs *ep, const uuid_t *id);
int dsync_epoch_abort(struct dsync_epochs *ep, const uuid_t *id);
int dsync_epochs_clear(struct dsync_epochs *ep);

bool dsync_epochs_summary(struct dsync_epochs *ep, struct dsync_summary *sum);

#endif
