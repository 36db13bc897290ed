// SPDX-License-Identifier: GPL-2.0-only
/*
 * The load: reads the metadata when a device comes up.
 *
 * Notes on the design of this file:
 *
 * The constructor only looks at the superblock, for the geometry, as the
 * device may still be in use by somebody else. All is read when the device is
 * first resumed. That never fails: a guest waits for its disk. What can go
 * wrong has one of these answers, each of them a superset of the truth:
 *
 *	a leaf that cannot be read, or whose sums are wrong
 *		its blocks are dirty
 *	an intent likewise; a superblock that says so; a smaller device
 *		all blocks are dirty, and the metadata start anew
 *	unknown content, or that of a later version
 *		all blocks are dirty; META_DEV is not touched, as it may be
 *		somebody's disk
 *	nothing can be read
 *		all blocks are dirty; the writer asks again, each second
 *
 * After an unclean stop the intents stay as they are on META_DEV: their
 * regions are active, and get retired in time. So nothing has to be written
 * before guests may, but that the stop is not clean any more.
 */
#include <linux/blkdev.h>
#include <linux/device-mapper.h>
#include <linux/log2.h>
#include <linux/string.h>
#include <linux/uuid.h>

#include "dm-dsync-bitmap.h"
#include "dm-dsync-meta.h"
#include "dm-dsync.h"

static int read_blocks(struct dsync_io **io, u64 sector, unsigned int bytes)
{
	return dsync_io_run(io, REQ_OP_READ | REQ_SYNC | REQ_META, sector,
			    bytes);
}

/*-----------------------------------------------------------------*/

/* Leaves */

/**
 * struct reader - reads the leaves of one slot
 * @meta: the metadata
 * @sets: gets the blocks
 * @slot: which slot
 * @stale: the leaves have to be written to the dirty slot, as they come from
 *	the other one
 * @hangs: META_DEV did not answer in time, so it is not asked again
 * @damaged: sectors that were
 */
struct reader {
	struct dsync_meta *meta;
	struct dsync_sets *sets;
	unsigned int slot;
	bool stale;
	bool hangs;
	unsigned int damaged;
};

static u64 leaf_sector(struct reader *rd, unsigned long leaf)
{
	return dsync_layout_leaf_sector(&rd->meta->rg->layout, rd->slot, leaf);
}

/* Takes the bits of a leaf from a block; without one, has all of them. */
static void take_leaf(struct reader *rd, unsigned long leaf, const void *block)
{
	struct dsync_meta *meta = rd->meta;
	unsigned int damaged = DSYNC_META_BLOCK_SECTORS;

	if (block)
		damaged = dsync_leaf_decode(meta->bits,
					    meta->super.generation[rd->slot],
					    &meta->super.uuid,
					    leaf_sector(rd, leaf), block);
	else
		memset(meta->bits, 0xff, DSYNC_LEAF_BYTES);
	rd->damaged += damaged;
	if (!memchr_inv(meta->bits, 0, DSYNC_LEAF_BYTES))
		return;
	dsync_bitmap_mark_bytes(rd->sets->map[DSYNC_DIRTY],
				(u64)leaf * DSYNC_LEAF_BYTES, meta->bits,
				DSYNC_LEAF_BYTES);
	if (damaged || rd->stale)
		dsync_regions_stale(meta->rg, meta->super.dirty_slot,
				    (u64)leaf * DSYNC_LEAF_BITS, 1);
}

/* One of the leaves cannot be read, but which? */
static void take_one_by_one(struct reader *rd, unsigned long first,
			    unsigned int nr, struct dsync_io **io)
{
	unsigned int i;

	for (i = 0; i < nr && !rd->hangs; i++) {
		int r = read_blocks(io, leaf_sector(rd, first + i),
				    DSYNC_META_BLOCK_BYTES);

		take_leaf(rd, first + i, r ? NULL : (*io)->buf);
		rd->hangs = r == -ETIMEDOUT;
	}
}

static unsigned int turn_leaves(unsigned long first, unsigned long nr_leaves)
{
	return min_t(unsigned long, DSYNC_SLOT_TURN, nr_leaves - first);
}

static void start_turn(struct reader *rd, unsigned long first, unsigned int nr)
{
	unsigned int i = first / DSYNC_SLOT_TURN % DSYNC_LEAF_IOS;
	struct dsync_io *io = rd->meta->leaf_io[i];

	if (io && !rd->hangs)
		dsync_io_start(io, REQ_OP_READ | REQ_META,
			       leaf_sector(rd, first),
			       nr * DSYNC_META_BLOCK_BYTES);
}

static void take_turn(struct reader *rd, unsigned long first, unsigned int nr)
{
	unsigned int i, n = first / DSYNC_SLOT_TURN % DSYNC_LEAF_IOS;
	struct dsync_io **io = &rd->meta->leaf_io[n];
	int r;

	if (rd->hangs || !*io)
		return;
	r = dsync_io_wait(io);
	if (r) {
		rd->hangs = r == -ETIMEDOUT;
		take_one_by_one(rd, first, nr, io);
		return;
	}
	for (i = 0; i < nr; i++)
		take_leaf(rd, first + i,
			  (*io)->buf + i * DSYNC_META_BLOCK_BYTES);
	cond_resched();
}

/* Reads with several transfers under way. */
static void read_leaves(struct reader *rd, unsigned long nr_leaves)
{
	const unsigned long ahead = DSYNC_LEAF_IOS * DSYNC_SLOT_TURN;
	unsigned long at;

	for (at = 0; at < nr_leaves + ahead; at += DSYNC_SLOT_TURN) {
		if (at >= ahead && at - ahead < nr_leaves)
			take_turn(rd, at - ahead,
				  turn_leaves(at - ahead, nr_leaves));
		if (at < nr_leaves)
			start_turn(rd, at, turn_leaves(at, nr_leaves));
	}
}

/*-----------------------------------------------------------------*/

/* Intents */

/* Returns whether all could be read. */
static bool read_intents(struct dsync_meta *meta, u32 *entries)
{
	struct dsync_regions *rg = meta->rg;
	unsigned int i, n, first;

	for (i = 0; i < rg->layout.intent_blocks; i++) {
		u64 sector = (u64)(DSYNC_INTENT_BLOCK + i) *
			     DSYNC_META_BLOCK_SECTORS;

		first = i * DSYNC_BLOCK_INTENTS;
		n = min_t(unsigned int, rg->nr_entries - first,
			  DSYNC_BLOCK_INTENTS);
		if (read_blocks(&meta->super_io, sector,
				DSYNC_META_BLOCK_BYTES) ||
		    dsync_intents_decode(entries + first, n, &meta->super.uuid,
					 sector, meta->super_io->buf))
			return false;
	}
	return true;
}

/* All blocks of the regions that were active count as dirty. */
static void suspect(struct dsync_meta *meta, struct dsync_sets *sets)
{
	struct dsync_bitmap *dirty = sets->map[DSYNC_DIRTY];
	unsigned long region;

	for_each_set_bit(region, meta->rg->active, meta->rg->nr)
	{
		u64 first = (u64)region << meta->rg->shift;
		u64 count = min_t(u64, 1ULL << meta->rg->shift,
				  dirty->nr_bits - first);

		dsync_bitmap_mark(dirty, first, count);
		sets->suspect += count;
	}
}

/*-----------------------------------------------------------------*/

/* What to do with what was found */

/* None of what is there can be used, whatever the reason. */
static void anew(struct dsync_meta *meta, enum dsync_health health)
{
	meta->health = health;
	meta->lost = true;
	meta->bypass = true;
}

static void format(struct dsync_super *super, const struct dsync_geometry *geo)
{
	uuid_gen(&super->uuid);
	super->sequence = 0;
	super->data_sectors = geo->sectors;
	super->block_sectors = 1U << geo->block_shift;
	super->dirty_slot = 0;
	super->generation[0] = 1;
	super->generation[1] = 0;
}

/* Whether all was allocated for what is there now, and there is room */
static bool fits(const struct dsync_meta *meta, const struct dsync_super *super)
{
	return super->block_sectors == meta->super.block_sectors &&
	       super->region_sectors == meta->super.region_sectors &&
	       super->active_regions == meta->super.active_regions;
}

static bool has_room(const struct dsync_meta *meta)
{
	return bdev_nr_sectors(meta->disk.bdev) >=
	       dsync_layout_sectors(&meta->rg->layout);
}

static enum dsync_health say(struct dsync_meta *meta, const char *why,
			     enum dsync_health health)
{
	DMERR("%pg: %s; everything is dirty, and changes are only kept in RAM",
	      meta->disk.bdev, why);
	return health;
}

/* It is ours, but cannot be used: at least nobody shall trust it later on. */
static void condemn(struct dsync_meta *meta, const struct dsync_super *super)
{
	struct dsync_super mine = meta->super;

	meta->super = *super;
	dsync_meta_prepare(meta, DSYNC_SUPER_LOST);
	if (dsync_meta_store(meta))
		DMERR("%pg: cannot write there that tracking was lost",
		      meta->disk.bdev);
	meta->super = mine;
}

/**
 * dsync_meta_identify() - finds out whether META_DEV can be used
 * @meta: the metadata; nothing else is stored at the moment
 * @geo: of the device that it is for
 * @super: becomes the superblock to go on with
 *
 * Return: the health to begin with; FAILING if this is to be asked again.
 *
 * Context: may sleep.
 */
enum dsync_health dsync_meta_identify(struct dsync_meta *meta,
				      const struct dsync_geometry *geo,
				      struct dsync_super *super)
{
	*super = meta->super;
	switch (dsync_meta_probe(&meta->super_io, super)) {
	case DSYNC_FOUND_NOTHING:
		if (meta->unread)
			return DSYNC_META_FAILING;
		return say(meta, "cannot be read", DSYNC_META_FAILING);
	case DSYNC_FOUND_UNKNOWN:
		return say(meta, "has unknown content, and is not touched",
			   DSYNC_META_UNUSABLE);
	case DSYNC_FOUND_BLANK:
		if (!has_room(meta))
			return say(meta, "is too small", DSYNC_META_UNUSABLE);
		format(super, geo);
		return DSYNC_META_FORMATTING;
	case DSYNC_FOUND_SUPER:
		if (fits(meta, super) && has_room(meta))
			return DSYNC_META_FINE;
		condemn(meta, super);
		return say(meta,
			   has_room(meta) ? "was changed by somebody else"
					  : "is too small",
			   DSYNC_META_UNUSABLE);
	}
	return DSYNC_META_UNUSABLE;
}

static void lose(struct dsync_meta *meta, struct dsync_sets *sets,
		 const char *why)
{
	DMWARN("%pg: %s; everything is dirty", meta->disk.bdev, why);
	dsync_bitmap_fill(sets->map[DSYNC_DIRTY]);
	memset(&sets->ids, 0, sizeof(sets->ids));
	sets->gap = DSYNC_LOST;
	sets->suspect = 0;
	anew(meta, DSYNC_META_FORMATTING);
}

static void take_ids(struct dsync_sets *sets, const struct dsync_super *super)
{
	sets->ids.epoch = super->epoch;
	sets->ids.previous = super->previous;
	sets->ids.ended = super->ended;
	sets->ids.aborted = super->aborted;
	sets->gap = min_t(unsigned int, super->state, DSYNC_LOST);
	sets->suspect = super->suspect_blocks;
	if (uuid_is_null(&super->open))
		return;
	sets->ids.aborted = super->open;
	sets->ids.epoch = super->previous;
}

/* The sets, from the leaves; returns false if META_DEV hangs. */
static bool take_leaves(struct dsync_meta *meta, struct dsync_sets *sets,
			unsigned long nr_leaves)
{
	struct reader rd = {
		.meta = meta, .sets = sets, .slot = meta->super.dirty_slot};

	dsync_bitmap_clear(sets->map[DSYNC_DIRTY]);
	read_leaves(&rd, nr_leaves);
	if (!uuid_is_null(&meta->super.open)) {
		rd.slot = !rd.slot;
		rd.stale = true;
		meta->owed = true;
		read_leaves(&rd, nr_leaves);
	}
	if (rd.damaged) {
		DMWARN("%pg: %u sectors of the bitmap are damaged; their blocks are dirty",
		       meta->disk.bdev, rd.damaged);
		sets->suspect += (u64)rd.damaged * DSYNC_SECTOR_BITS;
	}
	return !rd.hangs;
}

/* What a larger device has more is dirty, and without leaves yet. */
static void grow(struct dsync_meta *meta, struct dsync_sets *sets,
		 const struct dsync_geometry *old, unsigned long old_leaves)
{
	struct dsync_bitmap *dirty = sets->map[DSYNC_DIRTY];
	/* The last block may have been short. */
	u64 first = (u64)old->sectors >> old->block_shift;
	u64 first_leaf = (u64)old_leaves * DSYNC_LEAF_BITS;
	unsigned int slot = meta->super.dirty_slot;

	dsync_bitmap_mark(dirty, first, dirty->nr_bits - first);
	dsync_regions_stale(meta->rg, slot, first, dirty->nr_bits - first);
	if (first_leaf < dirty->nr_bits)
		dsync_regions_stale(meta->rg, !slot, first_leaf,
				    dirty->nr_bits - first_leaf);
	meta->owed = true;
}

/* Why what the superblock says cannot be used, or NULL */
static const char *get_intents(struct dsync_meta *meta,
			       const struct dsync_sets *sets, u32 *entries)
{
	const struct dsync_super *super = &meta->super;

	if (super->flags & DSYNC_SUPER_LOST)
		return "tracking was lost";
	if (super->data_sectors > sets->geo.sectors)
		return "DATA_DEV has shrunk";
	if (super->flags & DSYNC_SUPER_CLEAN)
		memset(entries, 0xff, meta->rg->nr_entries * sizeof(*entries));
	else if (!read_intents(meta, entries))
		return "the intents cannot be read";
	return NULL;
}

static void load(struct dsync_meta *meta, struct dsync_sets *sets, bool trusted)
{
	struct dsync_super *super = &meta->super;
	struct dsync_geometry old = {.sectors = super->data_sectors,
				     .block_shift = sets->geo.block_shift};
	/* Not in use yet, and of the right size */
	u32 *entries = meta->rg->claimed;
	struct dsync_layout layout;
	const char *why = trusted ? get_intents(meta, sets, entries)
				  : "was not in use";

	if (why) {
		lose(meta, sets, why);
		return;
	}
	take_ids(sets, super);
	dsync_regions_load(meta->rg, entries, super->dirty_slot);
	dsync_layout_init(&layout, dsync_nr_blocks(&old),
			  super->active_regions);
	if (!take_leaves(meta, sets, layout.nr_leaves)) {
		lose(meta, sets, "META_DEV does not answer");
		meta->health = DSYNC_META_FAILING;
		return;
	}
	suspect(meta, sets);
	if (sets->gap == DSYNC_CLEAN &&
	    (!(super->flags & DSYNC_SUPER_CLEAN) || sets->suspect))
		sets->gap = DSYNC_RECOVERED;
	sets->suspect = min(sets->suspect, sets->map[DSYNC_DIRTY]->nr_bits);
	if (old.sectors < sets->geo.sectors)
		grow(meta, sets, &old, layout.nr_leaves);
	super->state = sets->gap;
	super->suspect_blocks = sets->suspect;
	meta->lost = false;
	meta->bypass = false;
}

/* From now on, the intents count, as the next stop may be unclean. */
static void begin_use(struct dsync_meta *meta)
{
	if (!(meta->super.flags & DSYNC_SUPER_CLEAN) || meta->lost)
		return;
	dsync_regions_all_behind(meta->rg);
	dsync_meta_prepare(meta, 0);
	if (dsync_meta_write_intents(meta) || dsync_meta_store(meta))
		anew(meta, DSYNC_META_FAILING);
}

/**
 * dsync_meta_load() - reads the metadata, or prepares for it to be formatted
 * @meta: the metadata, fresh
 * @sets: for the same device, fresh; become what is known
 * @trusted: no write was missed since META_DEV was last in use
 *
 * Never fails.
 *
 * Context: preresume; may sleep; nobody else uses the two.
 */
void dsync_meta_load(struct dsync_meta *meta, struct dsync_sets *sets,
		     bool trusted)
{
	struct dsync_super super;

	meta->health = dsync_meta_identify(meta, &sets->geo, &super);
	meta->super = super;
	meta->unread = meta->health == DSYNC_META_FAILING;
	if (meta->health >= DSYNC_META_FAILING)
		sets->gap = DSYNC_LOST;
	if (meta->health != DSYNC_META_FINE)
		return;
	load(meta, sets, trusted);
	begin_use(meta);
}
