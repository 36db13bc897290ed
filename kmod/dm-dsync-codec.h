/* SPDX-License-Identifier: GPL-2.0-or-later */
/* How metadata becomes bytes on META_DEV, and back. */
#ifndef DM_DSYNC_CODEC_H
#define DM_DSYNC_CODEC_H

#include <linux/types.h>
#include <linux/uuid.h>

#include "uapi/dsync-format.h"

/**
 * struct dsync_layout - where things are on META_DEV
 * @intent_blocks: blocks of 4 KiB that hold intents
 * @nr_leaves: leaves of each slot
 */
struct dsync_layout {
	unsigned int intent_blocks;
	unsigned long nr_leaves;
};

/**
 * struct dsync_super - a superblock in RAM; see struct dsync_meta_super
 */
struct dsync_super {
	unsigned int flags;
	uuid_t uuid;
	u64 sequence;
	u64 data_sectors;
	unsigned int block_sectors;
	unsigned int region_sectors;
	unsigned int active_regions;
	unsigned int state;
	u64 suspect_blocks;
	unsigned int dirty_slot;
	u32 generation[DSYNC_NR_SLOTS];
	uuid_t epoch;
	uuid_t previous;
	uuid_t open;
	uuid_t ended;
	uuid_t aborted;
};

void dsync_layout_init(struct dsync_layout *layout, u64 nr_blocks,
		       unsigned int active_regions);
u64 dsync_layout_leaf_sector(const struct dsync_layout *layout,
			     unsigned int slot, unsigned long leaf);
u64 dsync_layout_sectors(const struct dsync_layout *layout);

void dsync_super_encode(const struct dsync_super *super, void *block);
int dsync_super_decode(struct dsync_super *super, const void *block);
int dsync_super_pick(struct dsync_super *super, const void *blocks);

void dsync_intents_encode(const u32 *regions, unsigned int nr,
			  const uuid_t *uuid, u64 sector, void *block);
int dsync_intents_decode(u32 *regions, unsigned int nr, const uuid_t *uuid,
			 u64 sector, const void *block);

void dsync_leaf_encode(const void *bits, u32 generation, const uuid_t *uuid,
		       u64 sector, void *block);
unsigned int dsync_leaf_decode(void *bits, u32 generation, const uuid_t *uuid,
			       u64 sector, const void *block);

#endif
