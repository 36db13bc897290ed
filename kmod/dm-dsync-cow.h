/* SPDX-License-Identifier: GPL-2.0-only */
/* The store of a hold: where the old content of a block was copied to. */
#ifndef DM_DSYNC_COW_H
#define DM_DSYNC_COW_H

#include <linux/types.h>

#define DSYNC_NO_PLACE (~0ULL)

struct dsync_cow_index;

/**
 * struct dsync_cow - the store
 * @nr_places: blocks that there is room for
 * @nr_taken: places given out, from the first on
 * @nr_found: blocks in @index
 * @place_bits: of a word in @index
 * @index: read within RCU
 */
struct dsync_cow {
	u64 nr_places;
	u64 nr_taken;
	u64 nr_found;
	unsigned int place_bits;
	struct dsync_cow_index __rcu *index;
};

struct dsync_cow *dsync_cow_create(u64 nr_blocks, u64 room);
void dsync_cow_destroy(struct dsync_cow *cow);

int dsync_cow_take(struct dsync_cow *cow, unsigned int count, u64 *ret_place);
void dsync_cow_publish(struct dsync_cow *cow, u64 block, u64 place);
u64 dsync_cow_find(const struct dsync_cow *cow, u64 block);

#endif
