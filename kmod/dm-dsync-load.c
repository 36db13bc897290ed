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
 *	a leaf cannot be read, or its	its blocks are dirty
 *	sums are wrong
 *	an intent likewise; the		all blocks are dirty, and the metadata
 *	superblock says so; the		starts anew
 *	device has shrunk
 *	unknown content, a later	all blocks are dirty, and META_DEV is not
 *	version, too small		touched: it may be somebody's disk
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

/* The superblock in two copies */

/* Each copy is read by itself, as the other one may be unreadable. */
static bool read_supers(struct dsync_io **io)
{
	bool second = !read_blocks(io, DSYNC_META_BLOCK_SECTORS,
				   DSYNC_META_BLOCK_BYTES);
	void *buf;
	int r;

	if (!*io)
		return false;
	buf = (*io)->buf;
	if (second)
		memcpy(buf + DSYNC_META_BLOCK_BYTES, buf,
		       DSYNC_META_BLOCK_BYTES);
	else
		memset(buf + DSYNC_META_BLOCK_BYTES, 0, DSYNC_META_BLOCK_BYTES);
	r = read_blocks(io, DSYNC_SUPER_BLOCK, DSYNC_META_BLOCK_BYTES);
	if (r && *io)
		memset(buf, 0, DSYNC_META_BLOCK_BYTES);
	return *io && (second || !r);
}

static enum dsync_find find_blank(struct dsync_disk *disk, struct dsync_io **io)
{
	u64 end = min_t(u64, bdev_nr_sectors(disk->bdev),
			DSYNC_META_BLANK_BYTES >> SECTOR_SHIFT);
	u64 at;
	unsigned int bytes;

	for (at = 0; at < end; at += DSYNC_IO_BYTES >> SECTOR_SHIFT) {
		bytes = min_t(u64, DSYNC_IO_BYTES, (end - at) << SECTOR_SHIFT);
		if (read_blocks(io, at, bytes))
			return DSYNC_FOUND_NOTHING;
		if (memchr_inv((*io)->buf, 0, bytes))
			return DSYNC_FOUND_UNKNOWN;
	}
	return DSYNC_FOUND_BLANK;
}

static enum dsync_find probe(struct dsync_disk *disk, struct dsync_io **io,
			     struct dsync_super *super)
{
	int r;

	if (bdev_nr_sectors(disk->bdev) <
	    DSYNC_SUPER_COPIES * DSYNC_META_BLOCK_SECTORS)
		return DSYNC_FOUND_UNKNOWN;
	if (!read_supers(io))
		return DSYNC_FOUND_NOTHING;
	r = dsync_super_pick(super, (*io)->buf);
	if (r >= 0)
		return DSYNC_FOUND_SUPER;
	return r == -ENODATA ? find_blank(disk, io) : DSYNC_FOUND_UNKNOWN;
}

/**
 * dsync_meta_probe() - looks what is on META_DEV
 * @disk: META_DEV
 * @super: becomes the superblock, if there is one
 *
 * Return: what was found; DSYNC_FOUND_NOTHING also without memory.
 *
 * Context: may sleep, but not much longer than the timeout.
 */
enum dsync_find dsync_meta_probe(struct dsync_disk *disk,
				 struct dsync_super *super)
{
	struct dsync_io *io = dsync_io_create(disk, GFP_NOIO);
	enum dsync_find find = DSYNC_FOUND_NOTHING;

	if (io)
		find = probe(disk, &io, super);
	dsync_io_put(io);
	return find;
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

	for_each_set_bit(region, meta->rg->active, meta->rg->nr) {
		u64 first = (u64)region << meta->rg->shift;
		u64 count = min_t(u64, 1ULL << meta->rg->shift,
				  dirty->nr_bits - first);

		dsync_bitmap_mark(dirty, first, count);
		sets->suspect += count;
	}
}

/*-----------------------------------------------------------------*/

/* What to do with what was found */

static void unusable(struct dsync_meta *meta, struct dsync_sets *sets,
		     const char *why)
{
	DMERR("%pg: %s; it is not touched, everything is dirty, and changes are only kept in RAM",
	      meta->disk.bdev, why);
	meta->health = DSYNC_META_UNUSABLE;
	meta->lost = true;
	sets->gap = DSYNC_LOST;
}

static void anew(struct dsync_meta *meta, enum dsync_health health)
{
	meta->health = health;
	meta->lost = true;
	meta->bypass = true;
}

static void format(struct dsync_meta *meta, const struct dsync_sets *sets)
{
	uuid_gen(&meta->super.uuid);
	meta->super.data_sectors = sets->geo.sectors;
	meta->super.block_sectors = 1U << sets->geo.block_shift;
	meta->super.sequence = 0;
	meta->super.dirty_slot = 0;
	meta->super.generation[0] = 1;
	meta->super.generation[1] = 0;
	anew(meta, DSYNC_META_FORMATTING);
}

/**
 * dsync_meta_lose() - starts anew, as what is on META_DEV is of no use
 * @meta: the metadata; not in use, and ours
 * @sets: all blocks become dirty
 * @why: for the log
 */
void dsync_meta_lose(struct dsync_meta *meta, struct dsync_sets *sets,
		     const char *why)
{
	if (meta->health == DSYNC_META_UNUSABLE)
		return;

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
	struct reader rd = {.meta = meta, .sets = sets,
			    .slot = meta->super.dirty_slot};

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

static void load(struct dsync_meta *meta, struct dsync_sets *sets)
{
	struct dsync_super *super = &meta->super;
	struct dsync_geometry old = {.sectors = super->data_sectors,
				     .block_shift = sets->geo.block_shift};
	/* Not in use yet, and of the right size */
	u32 *entries = meta->rg->claimed;
	struct dsync_layout layout;
	const char *why = get_intents(meta, sets, entries);

	if (why) {
		dsync_meta_lose(meta, sets, why);
		return;
	}
	take_ids(sets, super);
	dsync_regions_load(meta->rg, entries, super->dirty_slot);
	dsync_layout_init(&layout, dsync_nr_blocks(&old),
			  super->active_regions);
	if (!take_leaves(meta, sets, layout.nr_leaves)) {
		dsync_meta_lose(meta, sets, "META_DEV does not answer");
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
	meta->health = DSYNC_META_FINE;
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

/* Whether all was allocated for what is there now */
static bool fits(const struct dsync_meta *meta, const struct dsync_super *super)
{
	return super->block_sectors == meta->super.block_sectors &&
	       super->region_sectors == meta->super.region_sectors &&
	       super->active_regions == meta->super.active_regions;
}

/**
 * dsync_meta_load() - reads the metadata, or prepares for it to be formatted
 * @meta: the metadata, fresh
 * @sets: for the same device, fresh; become what is known
 *
 * Never fails.
 *
 * Context: preresume; may sleep; nobody else uses the two.
 */
void dsync_meta_load(struct dsync_meta *meta, struct dsync_sets *sets)
{
	struct dsync_super super;
	enum dsync_find find = dsync_meta_probe(&meta->disk, &super);

	if (find == DSYNC_FOUND_NOTHING) {
		unusable(meta, sets, "cannot be read");
	} else if (find == DSYNC_FOUND_UNKNOWN) {
		unusable(meta, sets, "has unknown content");
	} else if (bdev_nr_sectors(meta->disk.bdev) <
		   dsync_layout_sectors(&meta->rg->layout)) {
		unusable(meta, sets, "is too small");
	} else if (find == DSYNC_FOUND_BLANK) {
		format(meta, sets);
	} else if (!fits(meta, &super)) {
		unusable(meta, sets, "was changed by somebody else");
	} else {
		meta->super = super;
		load(meta, sets);
		begin_use(meta);
	}
}
