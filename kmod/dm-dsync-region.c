// SPDX-License-Identifier: GPL-2.0-only
/*
 * Regions: where writes may go on, as a crash there is provided for.
 *
 * Notes on the design of this file:
 *
 * A block's bit has to be durable before its data. To write each bit at its
 * first use would cost a flush for every block; so the intent to write into
 * a whole region (1 MiB) is made durable, and within it bits only change in
 * RAM. After a crash all blocks of these regions count as dirty.
 *
 *	        claim             activate            retire
 *	free ----------> claimed ----------> active ----------> retiring
 *	  ^  needs a      (commit) durable:    clears the bit,     |
 *	  |  free entry            map() goes  map() waits again   | leaves
 *	  |                        on at once                      | are
 *	  +--------------------------------------------------------+ durable
 *	                           retired
 *
 * Entries, not regions, are in these states: a region that is written to
 * while its old entry retires gets a second one, and neither waits for the
 * other. An entry that is free keeps its old content on META_DEV until it is
 * used again or there is nothing better to do.
 *
 * map() only reads @active, within RCU. Retiring clears the bit, waits for a
 * grace period, and knows that all marks made under it are in the bitmap.
 *
 * A leaf is stale if the bitmap in RAM may have bits that META_DEV has not:
 * from the claim on, and until it was written at a time when no region
 * touched it any more.
 *
 * There is no I/O here: see dm-dsync-commit.c and dm-dsync-writer.c.
 */
#include <linux/bitmap.h>
#include <linux/mm.h>
#include <linux/slab.h>
#include <linux/string.h>

#include "dm-dsync-region.h"

static unsigned long *alloc_bits(unsigned long nr)
{
	return kvcalloc(BITS_TO_LONGS(nr), sizeof(long), GFP_KERNEL);
}

/**
 * dsync_regions_create() - makes regions, none of them active
 * @nr_blocks: blocks that are tracked
 * @shift: log2 of the blocks in a region
 * @nr_entries: room for intents
 *
 * Return: the regions, or NULL without memory.
 *
 * Context: may sleep.
 */
struct dsync_regions *dsync_regions_create(u64 nr_blocks, unsigned int shift,
					   unsigned int nr_entries)
{
	struct dsync_regions *rg = kzalloc(sizeof(*rg), GFP_KERNEL);
	bool failed;
	int i;

	if (!rg)
		return NULL;
	spin_lock_init(&rg->lock);
	dsync_layout_init(&rg->layout, nr_blocks, nr_entries);
	rg->nr_blocks = nr_blocks;
	rg->shift = shift;
	rg->nr = ((nr_blocks - 1) >> shift) + 1;
	rg->nr_entries = nr_entries;
	rg->intended = alloc_bits(rg->nr);
	rg->active = alloc_bits(rg->nr);
	rg->used = alloc_bits(rg->nr);
	rg->entries = kvcalloc(nr_entries, sizeof(*rg->entries), GFP_KERNEL);
	rg->claimed = kvcalloc(nr_entries, sizeof(*rg->claimed), GFP_KERNEL);
	rg->retiring = alloc_bits(nr_entries);
	rg->behind = alloc_bits(rg->layout.intent_blocks);
	failed = !rg->intended || !rg->active || !rg->used || !rg->entries ||
		 !rg->claimed || !rg->retiring || !rg->behind;
	for (i = 0; i < DSYNC_NR_SLOTS; i++) {
		rg->stale[i] = alloc_bits(rg->layout.nr_leaves);
		failed |= !rg->stale[i];
	}
	if (failed)
		goto err_destroy;
	dsync_regions_reset(rg);
	return rg;

err_destroy:
	dsync_regions_destroy(rg);
	return NULL;
}

/**
 * dsync_regions_destroy() - frees regions
 * @rg: the regions or NULL, not used by anybody
 *
 * Context: may sleep.
 */
void dsync_regions_destroy(struct dsync_regions *rg)
{
	int i;

	if (!rg)
		return;
	for (i = 0; i < DSYNC_NR_SLOTS; i++)
		kvfree(rg->stale[i]);
	kvfree(rg->behind);
	kvfree(rg->retiring);
	kvfree(rg->claimed);
	kvfree(rg->entries);
	kvfree(rg->used);
	kvfree(rg->active);
	kvfree(rg->intended);
	kfree(rg);
}

/**
 * dsync_regions_reset() - has all regions inactive, all leaves stale
 * @rg: the regions; no write is in map(), and no commit under way
 *
 * That is what holds when nothing of META_DEV is known or wanted.
 */
void dsync_regions_reset(struct dsync_regions *rg)
{
	int i;

	spin_lock(&rg->lock);
	bitmap_zero(rg->intended, rg->nr);
	bitmap_zero(rg->active, rg->nr);
	bitmap_zero(rg->used, rg->nr);
	bitmap_zero(rg->retiring, rg->nr_entries);
	memset(rg->entries, 0xff, rg->nr_entries * sizeof(*rg->entries));
	bitmap_fill(rg->behind, rg->layout.intent_blocks);
	for (i = 0; i < DSYNC_NR_SLOTS; i++)
		bitmap_fill(rg->stale[i], rg->layout.nr_leaves);
	rg->nr_free = rg->nr_entries;
	rg->nr_claimed = 0;
	rg->hand = 0;
	rg->clock = 0;
	spin_unlock(&rg->lock);
}

/*-----------------------------------------------------------------*/

/* The leaves that hold the bits of @count blocks from @first on */
static void set_leaves(unsigned long *leaves, u64 first, u64 count)
{
	unsigned long from = div_u64(first, DSYNC_LEAF_BITS);
	unsigned long to = div_u64(first + count - 1, DSYNC_LEAF_BITS);

	bitmap_set(leaves, from, to - from + 1);
}

static void set_region_leaves(struct dsync_regions *rg, unsigned long *leaves,
			      u32 region)
{
	u64 first = (u64)region << rg->shift;
	u64 count = min_t(u64, 1ULL << rg->shift, rg->nr_blocks - first);

	set_leaves(leaves, first, count);
}

static unsigned int next_free(struct dsync_regions *rg)
{
	while (rg->entries[rg->hand] != DSYNC_NO_REGION)
		rg->hand = (rg->hand + 1) % rg->nr_entries;
	return rg->hand;
}

/* An entry for a region that has none. */
static void enter(struct dsync_regions *rg, unsigned int entry, u32 region,
		  unsigned int slot)
{
	rg->entries[entry] = region;
	rg->nr_free--;
	__set_bit(region, rg->intended);
	set_region_leaves(rg, rg->stale[slot], region);
}

/**
 * dsync_regions_claim() - gets entries for the regions of a write
 * @rg: the regions
 * @first: its first block
 * @count: how many
 * @slot: of the dirty set
 *
 * Return: false if entries ran out before all regions had one.
 */
bool dsync_regions_claim(struct dsync_regions *rg, u64 first, u64 count,
			 unsigned int slot)
{
	unsigned long n = first >> rg->shift;
	unsigned long last = (first + count - 1) >> rg->shift;

	spin_lock(&rg->lock);
	for (; n <= last; n++) {
		if (test_bit(n, rg->intended))
			continue;
		if (!rg->nr_free)
			break;
		rg->claimed[rg->nr_claimed++] = next_free(rg);
		__set_bit(rg->hand / DSYNC_BLOCK_INTENTS, rg->behind);
		enter(rg, rg->hand, n, slot);
	}
	spin_unlock(&rg->lock);
	return n > last;
}

/**
 * dsync_regions_activate() - lets writes go on in what was claimed
 * @rg: the regions; the claimed entries are durable
 */
void dsync_regions_activate(struct dsync_regions *rg)
{
	spin_lock(&rg->lock);
	while (rg->nr_claimed) {
		u32 region = rg->entries[rg->claimed[--rg->nr_claimed]];

		set_bit(region, rg->used);
		set_bit(region, rg->active);
	}
	spin_unlock(&rg->lock);
}

/**
 * dsync_regions_load() - begins with the entries from META_DEV
 * @rg: the regions, fresh; become those of a device that has just crashed:
 *	no leaf is stale but those of the regions in @entries
 * @entries: as many as @rg has
 * @slot: of the dirty set
 */
void dsync_regions_load(struct dsync_regions *rg, const u32 *entries,
			unsigned int slot)
{
	unsigned int i;

	spin_lock(&rg->lock);
	for (i = 0; i < DSYNC_NR_SLOTS; i++)
		bitmap_zero(rg->stale[i], rg->layout.nr_leaves);
	bitmap_zero(rg->behind, rg->layout.intent_blocks);
	for (i = 0; i < rg->nr_entries; i++) {
		u32 region = entries[i];

		if (region == DSYNC_NO_REGION)
			continue;
		/*
		 * It is twice there if it was retiring, or beyond the end if
		 * the device was to grow.
		 */
		if (region >= rg->nr || test_bit(region, rg->intended)) {
			__set_bit(i / DSYNC_BLOCK_INTENTS, rg->behind);
			continue;
		}
		enter(rg, i, region, slot);
		set_bit(region, rg->active);
	}
	spin_unlock(&rg->lock);
}

/**
 * dsync_regions_inherit() - takes over from those of a smaller device
 * @rg: the regions, fresh, all leaves stale
 * @from: what they follow, with as many entries; nobody uses them now
 * @slot: of the dirty set, that gets the new blocks
 *
 * Leaves that @from does not have stay stale, in both slots.
 */
void dsync_regions_inherit(struct dsync_regions *rg, struct dsync_regions *from,
			   unsigned int slot)
{
	unsigned long old = from->layout.nr_leaves, leaf;
	unsigned int i;

	/* bitmap_copy() would clear the rest of the last word. */
	for (i = 0; i < DSYNC_NR_SLOTS; i++)
		for_each_clear_bit(leaf, from->stale[i], old)
			__clear_bit(leaf, rg->stale[i]);
	bitmap_copy(rg->intended, from->intended, from->nr);
	bitmap_copy(rg->active, from->active, from->nr);
	bitmap_copy(rg->used, from->used, from->nr);
	bitmap_copy(rg->behind, from->behind, rg->layout.intent_blocks);
	bitmap_copy(rg->retiring, from->retiring, rg->nr_entries);
	memcpy(rg->entries, from->entries,
	       rg->nr_entries * sizeof(*rg->entries));
	rg->nr_free = from->nr_free;
	__set_bit(old - 1, rg->stale[slot]);
}

/*-----------------------------------------------------------------*/

/* Whether the clock may take an entry now; if not, it may the next time. */
static bool is_idle(struct dsync_regions *rg, unsigned int entry)
{
	u32 region = rg->entries[entry];

	if (region == DSYNC_NO_REGION || test_bit(entry, rg->retiring) ||
	    !test_bit(region, rg->active))
		return false;
	return !test_and_clear_bit(region, rg->used);
}

/**
 * dsync_regions_retire() - has writes wait again in regions that are idle
 * @rg: the regions, none retiring
 * @max: how many at most
 * @force: also take such as were used since the last time, if need be
 *
 * Before the leaves are read, RCU readers have to be waited for.
 *
 * Return: how many are retiring now.
 */
unsigned int dsync_regions_retire(struct dsync_regions *rg, unsigned int max,
				  bool force)
{
	unsigned int left = rg->nr_entries * (force ? 2 : 1), n = 0;

	spin_lock(&rg->lock);
	for (; left && n < max; left--) {
		rg->clock = (rg->clock + 1) % rg->nr_entries;
		if (!is_idle(rg, rg->clock))
			continue;
		clear_bit(rg->entries[rg->clock], rg->active);
		__clear_bit(rg->entries[rg->clock], rg->intended);
		__set_bit(rg->clock, rg->retiring);
		n++;
	}
	spin_unlock(&rg->lock);
	return n;
}

/**
 * dsync_regions_collect() - adds the leaves that retiring regions wait for
 * @rg: the regions
 * @slot: which slot
 * @leaves: bit for each leaf
 */
void dsync_regions_collect(struct dsync_regions *rg, unsigned int slot,
			   unsigned long *leaves)
{
	unsigned int i;

	spin_lock(&rg->lock);
	for_each_set_bit(i, rg->retiring, rg->nr_entries)
		set_region_leaves(rg, leaves, rg->entries[i]);
	bitmap_and(leaves, leaves, rg->stale[slot], rg->layout.nr_leaves);
	spin_unlock(&rg->lock);
}

/**
 * dsync_regions_retired() - frees the entries that were retiring
 * @rg: the regions; in every live slot, all bits of theirs are durable
 */
void dsync_regions_retired(struct dsync_regions *rg)
{
	unsigned int i;

	spin_lock(&rg->lock);
	for_each_set_bit(i, rg->retiring, rg->nr_entries)
	{
		rg->entries[i] = DSYNC_NO_REGION;
		rg->nr_free++;
		__set_bit(i / DSYNC_BLOCK_INTENTS, rg->behind);
	}
	bitmap_zero(rg->retiring, rg->nr_entries);
	spin_unlock(&rg->lock);
}

/*-----------------------------------------------------------------*/

/**
 * dsync_regions_next_behind() - hands out a block of intents to be written
 * @rg: the regions
 * @uuid: of the tracker
 * @block: 4 KiB, becomes the image
 *
 * Return: which block of META_DEV, or -1 if none is behind.
 */
int dsync_regions_next_behind(struct dsync_regions *rg, const uuid_t *uuid,
			      void *block)
{
	unsigned int n, first, nr;
	int r = -1;

	spin_lock(&rg->lock);
	n = find_first_bit(rg->behind, rg->layout.intent_blocks);
	if (n < rg->layout.intent_blocks) {
		r = DSYNC_INTENT_BLOCK + n;
		first = n * DSYNC_BLOCK_INTENTS;
		nr = min_t(unsigned int, rg->nr_entries - first,
			   DSYNC_BLOCK_INTENTS);
		dsync_intents_encode(rg->entries + first, nr, uuid,
				     (u64)r * DSYNC_META_BLOCK_SECTORS, block);
		__clear_bit(n, rg->behind);
	}
	spin_unlock(&rg->lock);
	return r;
}

/**
 * dsync_regions_all_behind() - has all intents written again
 * @rg: the regions
 */
void dsync_regions_all_behind(struct dsync_regions *rg)
{
	spin_lock(&rg->lock);
	bitmap_fill(rg->behind, rg->layout.intent_blocks);
	spin_unlock(&rg->lock);
}

/**
 * dsync_regions_stale() - notes that leaves are to be written
 * @rg: the regions
 * @slot: in which slot
 * @first: first block whose bit has changed
 * @count: how many
 */
void dsync_regions_stale(struct dsync_regions *rg, unsigned int slot, u64 first,
			 u64 count)
{
	spin_lock(&rg->lock);
	set_leaves(rg->stale[slot], first, count);
	spin_unlock(&rg->lock);
}

/**
 * dsync_regions_copy_stale() - tells which leaves are to be written
 * @rg: the regions
 * @slot: in which slot
 * @leaves: becomes a bit for each leaf
 */
void dsync_regions_copy_stale(struct dsync_regions *rg, unsigned int slot,
			      unsigned long *leaves)
{
	spin_lock(&rg->lock);
	bitmap_copy(leaves, rg->stale[slot], rg->layout.nr_leaves);
	spin_unlock(&rg->lock);
}

/**
 * dsync_regions_drop() - forgets what was to be written
 * @rg: the regions
 * @slot: in which slot; what is there is void
 */
void dsync_regions_drop(struct dsync_regions *rg, unsigned int slot)
{
	spin_lock(&rg->lock);
	bitmap_zero(rg->stale[slot], rg->layout.nr_leaves);
	spin_unlock(&rg->lock);
}

/**
 * dsync_regions_switch() - starts a new dirty set
 * @rg: the regions
 * @slot: where it will be
 *
 * Bits will be set in it by writes to regions that are active already.
 */
void dsync_regions_switch(struct dsync_regions *rg, unsigned int slot)
{
	unsigned int i;

	spin_lock(&rg->lock);
	for (i = 0; i < rg->nr_entries; i++)
		if (rg->entries[i] != DSYNC_NO_REGION)
			set_region_leaves(rg, rg->stale[slot], rg->entries[i]);
	spin_unlock(&rg->lock);
}

/**
 * dsync_regions_written() - notes that a leaf is about to be written
 * @rg: the regions
 * @slot: in which slot
 * @leaf: which; its bits are read after this
 * @marked: bits may be set in it, as the slot is that of the dirty set
 */
void dsync_regions_written(struct dsync_regions *rg, unsigned int slot,
			   unsigned long leaf, bool marked)
{
	unsigned long first = ((u64)leaf * DSYNC_LEAF_BITS) >> rg->shift;
	unsigned long end =
		(((u64)(leaf + 1) * DSYNC_LEAF_BITS - 1) >> rg->shift) + 1;

	end = min(end, rg->nr);
	spin_lock(&rg->lock);
	if (!marked || find_next_bit(rg->intended, end, first) >= end)
		__clear_bit(leaf, rg->stale[slot]);
	spin_unlock(&rg->lock);
}
