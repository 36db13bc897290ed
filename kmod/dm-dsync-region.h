/* SPDX-License-Identifier: GPL-2.0-only */
/* Regions: where writes may go on, as a crash there is provided for. */
#ifndef DM_DSYNC_REGION_H
#define DM_DSYNC_REGION_H

#include <linux/bitops.h>
#include <linux/spinlock.h>
#include <linux/types.h>

#include "dm-dsync-codec.h"

/**
 * struct dsync_regions - the regions of a device, and its leaves
 * @lock: protects all below but reads of @active and changes of @used
 * @layout: of the metadata
 * @nr_blocks: blocks that are tracked
 * @shift: log2 of the blocks in a region
 * @nr: number of regions
 * @intended: bit for each region: it has an entry in @entries, not retiring
 * @active: bit for each region: its intent is durable; writes need not wait
 * @used: bit for each region: written to since it was last looked at
 * @nr_entries: room for intents
 * @nr_free: entries that are free
 * @hand: where the search for a free entry goes on
 * @clock: where the search for a region to retire goes on
 * @entries: the intents: a region, or DSYNC_NO_REGION if free
 * @retiring: bit for each entry: free once the leaves of its region are safe
 * @claimed: entries that wait for the next commit
 * @nr_claimed: how many
 * @behind: bit for each block of intents: differs from what is on META_DEV
 * @stale: for each slot, bit for each leaf: may differ from META_DEV
 */
struct dsync_regions {
	spinlock_t lock;
	struct dsync_layout layout;
	u64 nr_blocks;
	unsigned int shift;
	unsigned long nr;
	unsigned long *intended;
	unsigned long *active;
	unsigned long *used;
	unsigned int nr_entries;
	unsigned int nr_free;
	unsigned int hand;
	unsigned int clock;
	u32 *entries;
	unsigned long *retiring;
	u32 *claimed;
	unsigned int nr_claimed;
	unsigned long *behind;
	unsigned long *stale[DSYNC_NR_SLOTS];
};

struct dsync_regions *dsync_regions_create(u64 nr_blocks, unsigned int shift,
					   unsigned int nr_entries);
void dsync_regions_destroy(struct dsync_regions *rg);

bool dsync_regions_claim(struct dsync_regions *rg, u64 first, u64 count,
			 unsigned int slot);
void dsync_regions_activate(struct dsync_regions *rg);
void dsync_regions_load(struct dsync_regions *rg, const u32 *entries,
			unsigned int slot);
void dsync_regions_inherit(struct dsync_regions *rg, struct dsync_regions *from,
			   unsigned int slot);
void dsync_regions_reset(struct dsync_regions *rg);

unsigned int dsync_regions_retire(struct dsync_regions *rg, unsigned int max,
				  bool force);
void dsync_regions_retired(struct dsync_regions *rg);

void dsync_regions_all_behind(struct dsync_regions *rg);
int dsync_regions_next_behind(struct dsync_regions *rg, const uuid_t *uuid,
			      void *block);

void dsync_regions_collect(struct dsync_regions *rg, unsigned int slot,
			   unsigned long *leaves);
void dsync_regions_copy_stale(struct dsync_regions *rg, unsigned int slot,
			      unsigned long *leaves);
void dsync_regions_stale(struct dsync_regions *rg, unsigned int slot, u64 first,
			 u64 count);
void dsync_regions_drop(struct dsync_regions *rg, unsigned int slot);
void dsync_regions_switch(struct dsync_regions *rg, unsigned int slot);
void dsync_regions_written(struct dsync_regions *rg, unsigned int slot,
			   unsigned long leaf, bool marked);

/**
 * dsync_regions_ready() - whether a write may go on at once
 * @rg: the regions
 * @first: its first block
 * @count: how many, at least 1
 *
 * The caller marks the blocks before it asks, and is in the same RCU read
 * section until then: see dsync_regions_retire().
 *
 * Context: RCU read section.
 */
static inline bool dsync_regions_ready(struct dsync_regions *rg, u64 first,
				       u64 count)
{
	unsigned long n = first >> rg->shift;
	unsigned long last = (first + count - 1) >> rg->shift;

	if (last - n >= rg->nr_entries / 4)
		return false;
	for (; n <= last; n++) {
		if (!test_bit(n, rg->active))
			return false;
		/* Test first: a line that all share stays shared. */
		if (!test_bit(n, rg->used))
			set_bit(n, rg->used);
	}
	return true;
}

#endif
