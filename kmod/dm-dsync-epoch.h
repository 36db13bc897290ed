/* SPDX-License-Identifier: GPL-2.0-only */
/* The epochs of a device: what is dirty, since when, and who may switch. */
#ifndef DM_DSYNC_EPOCH_H
#define DM_DSYNC_EPOCH_H

#include <linux/mutex.h>
#include <linux/types.h>
#include <linux/uuid.h>

struct dsync_bitmap;

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

/**
 * struct dsync_sets - one bitmap of each kind, all of one size
 * @geo: how the device is cut that they are for
 * @map: the bitmaps
 */
struct dsync_sets {
	struct dsync_geometry geo;
	struct dsync_bitmap *map[DSYNC_NR_SETS];
};

struct dsync_sets *dsync_sets_create(const struct dsync_geometry *geo);
void dsync_sets_destroy(struct dsync_sets *sets);

/**
 * struct dsync_epochs - the epochs of one mapped device
 * @lock: protects all below; see dm-dsync-epoch.c for what may happen under it
 * @sets: read without the lock by map() only, as they are exchanged only
 *	while the device is suspended; NULL before the first resume
 * @switches: counts exchanges of the sets, for those who drop the lock
 * @state: how far the dirty set can be trusted
 * @suspended: no I/O can reach map(); this is ours, not dm's
 * @suspends: how often that came true
 * @begun: some epoch has begun, ever
 * @epoch: at which the dirty set began
 * @previous: the one before that, for epoch_abort
 * @open: the epoch whose frozen set is still owed, or nil
 * @ended: the last one that ended
 * @aborted: the last one that was aborted
 */
struct dsync_epochs {
	struct mutex lock;
	struct dsync_sets *sets;
	unsigned int switches;
	enum dsync_state state;
	bool suspended;
	bool begun;
	u64 suspends;
	uuid_t epoch;
	uuid_t previous;
	uuid_t open;
	uuid_t ended;
	uuid_t aborted;
};

/* What the status line tells of the epochs. */
struct dsync_summary {
	enum dsync_state state;
	uuid_t epoch;
	uuid_t open;
	u64 suspends;
	u64 dirty;
	u64 frozen;
	u64 coarse_marks;
};

void dsync_epochs_init(struct dsync_epochs *ep);
void dsync_epochs_exit(struct dsync_epochs *ep);

char *dsync_epochs_refuse(struct dsync_epochs *ep,
			  const struct dsync_geometry *geo);
struct dsync_sets *dsync_epochs_adopt(struct dsync_epochs *ep,
				      struct dsync_sets *fresh, bool known);
void dsync_epochs_suspended(struct dsync_epochs *ep);
void dsync_epochs_resumed(struct dsync_epochs *ep);

int dsync_epoch_begin(struct dsync_epochs *ep, const uuid_t *id);
int dsync_epoch_end(struct dsync_epochs *ep, const uuid_t *id);
int dsync_epoch_abort(struct dsync_epochs *ep, const uuid_t *id);
int dsync_epochs_clear(struct dsync_epochs *ep);

bool dsync_epochs_summary(struct dsync_epochs *ep, struct dsync_summary *sum);

#endif
