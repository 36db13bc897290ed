/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The same steps as the module's when it loads, with its own codec:
 *
 *	superblocks	the sound one with the higher sequence counts
 *	lost?		marked so, too small, or intents damaged that are needed
 *	bitmaps		leaf by leaf, so that the largest disk takes no memory
 *	intents		unless shut down cleanly: their regions are dirty, too
 *
 * A sector that cannot be read is filled with zeroes, which have no right sum:
 * it is as damaged as any other.
 */
#include "dm/metadata.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bitmap.h"
#include "base/err.h"
#include "base/io.h"
#include "dm-dsync-codec.h"
#include "uapi/dsync.h"

#define SECTOR_BYTES 512

_Static_assert(METADATA_BLANK_BYTES == DSYNC_META_BLANK_BYTES, "one format");

struct reader {
	const char *path;
	int fd;
	uint64_t size_bytes;
	int nr_sound; /* superblocks */
	struct dsync_super super;
	struct dsync_layout layout;
	uint32_t *regions; /* of the intents: ascending, each once */
	size_t nr_regions;
	size_t next_region; /* the first that may reach into the next leaf */
	struct metadata *metadata;
};

/* False if there was something that could not be read. */
static bool read_block(const struct reader *reader, uint64_t sector,
		       uint8_t block[DSYNC_META_BLOCK_BYTES])
{
	off_t offset = sector * SECTOR_BYTES;
	bool sound = true;

	if (io_pread_full(reader->fd, block, DSYNC_META_BLOCK_BYTES, offset) ==
	    0)
		return true;
	for (int i = 0; i < DSYNC_META_BLOCK_SECTORS; i++) {
		uint8_t *to = block + i * SECTOR_BYTES;

		if (io_pread_full(reader->fd, to, SECTOR_BYTES,
				  offset + i * SECTOR_BYTES) == 0)
			continue;
		memset(to, 0, SECTOR_BYTES);
		sound = false;
	}
	return sound;
}

/* ------------------------------------------------------------ superblocks */

static const char *found_name(int code)
{
	switch (-code) {
	case 0:
		return "sound";
	case ENODATA:
		return "unknown content";
	case EPROTONOSUPPORT:
		return "a later version";
	default:
		return "damaged";
	}
}

/* Whether the module would format it. */
static bool is_blank(const struct reader *reader)
{
	static const uint8_t zeroes[DSYNC_META_BLOCK_BYTES];
	uint8_t block[DSYNC_META_BLOCK_BYTES];
	uint64_t end = DSYNC_META_BLANK_BYTES;

	if (end > reader->size_bytes)
		end = reader->size_bytes;
	for (uint64_t at = 0; at < end; at += sizeof(block))
		if (!read_block(reader, at / SECTOR_BYTES, block) ||
		    memcmp(block, zeroes, sizeof(block)) != 0)
			return false;
	return end > 0;
}

static int fail_without_super(const struct reader *reader, int code,
			      struct err *err)
{
	struct metadata *metadata = reader->metadata;

	metadata->found = code == -EBADMSG && reader->nr_sound == 2
				  ? "contradictory"
				  : found_name(code);
	if (code == -ENODATA && is_blank(reader)) {
		metadata->found = "blank";
		return fail(err, -ENODATA,
			    "%s: blank: it will be formatted, with all blocks "
			    "dirty, when a dsync device first uses it",
			    reader->path);
	}
	return fail(
		err, -EUCLEAN,
		"%s: no superblock to go by: %s (copy 0: %s, copy 1: %s); "
		"a dsync device on it comes up lost, with its bitmap in RAM "
		"only, and never writes to it; if it really is to be "
		"started anew, zero its first MiB",
		reader->path, metadata->found, metadata->copies[0].found,
		metadata->copies[1].found);
}

static int read_super(struct reader *reader, struct err *err)
{
	uint8_t blocks[DSYNC_SUPER_COPIES * DSYNC_META_BLOCK_BYTES];
	struct dsync_super *super = &reader->super;

	for (int i = 0; i < DSYNC_SUPER_COPIES; i++) {
		struct metadata_copy *copy = &reader->metadata->copies[i];
		uint8_t *block = blocks + i * DSYNC_META_BLOCK_BYTES;
		int r;

		if (!read_block(reader,
				(DSYNC_SUPER_BLOCK + i) *
					DSYNC_META_BLOCK_SECTORS,
				block)) {
			copy->found = "unreadable";
			continue;
		}
		r = dsync_super_decode(super, block);
		copy->found = found_name(r);
		if (r == 0)
			copy->sequence = super->sequence;
		reader->nr_sound += r == 0;
	}
	reader->metadata->copy = dsync_super_pick(super, blocks);
	if (reader->metadata->copy < 0)
		return fail_without_super(reader, reader->metadata->copy, err);
	reader->metadata->found = found_name(0);
	return 0;
}

static void describe_super(struct reader *reader)
{
	const struct dsync_super *super = &reader->super;
	struct metadata *metadata = reader->metadata;

	metadata->version = DSYNC_META_VERSION;
	uuid_format(super->uuid.b, metadata->uuid);
	metadata->size_sectors = super->data_sectors;
	metadata->nr_blocks =
		(super->data_sectors - 1) / super->block_sectors + 1;
	metadata->block_sectors = super->block_sectors;
	metadata->region_sectors = super->region_sectors;
	metadata->active_regions = super->active_regions;
	metadata->clean_shutdown = super->flags & DSYNC_SUPER_CLEAN;
	uuid_format(super->epoch.b, metadata->epoch);
	uuid_format(super->previous.b, metadata->previous);
	uuid_format(super->open.b, metadata->open);
	dsync_layout_init(&reader->layout, metadata->nr_blocks,
			  super->active_regions);
}

/* ---------------------------------------------------------------- intents */

static int compare(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return (x > y) - (x < y);
}

/* A region can be there twice; one beyond the disk has no blocks. */
static void sort_regions(struct reader *reader)
{
	uint64_t end = (reader->super.data_sectors - 1) /
			       reader->super.region_sectors +
		       1;
	size_t nr = 0;

	qsort(reader->regions, reader->nr_regions, sizeof(*reader->regions),
	      compare);
	for (size_t i = 0; i < reader->nr_regions; i++) {
		uint32_t region = reader->regions[i];

		if (region < end && (!nr || reader->regions[nr - 1] != region))
			reader->regions[nr++] = region;
	}
	reader->nr_regions = nr;
}

/* Goes by sectors, so that the damaged ones are counted. */
static int read_intents(struct reader *reader, struct err *err)
{
	uint64_t sector = DSYNC_INTENT_BLOCK * DSYNC_META_BLOCK_SECTORS;
	unsigned int left = reader->super.active_regions;
	uint8_t block[DSYNC_META_BLOCK_BYTES];
	unsigned int at = DSYNC_META_BLOCK_BYTES;

	reader->regions = calloc(left, sizeof(*reader->regions));
	if (!reader->regions)
		return fail(err, -ENOMEM, "out of memory");
	for (; left; sector++, at += SECTOR_BYTES) {
		unsigned int nr = left < DSYNC_SECTOR_INTENTS
					  ? left
					  : DSYNC_SECTOR_INTENTS;

		if (at == DSYNC_META_BLOCK_BYTES) {
			read_block(reader, sector, block);
			at = 0;
		}
		if (dsync_intents_decode(reader->regions + reader->nr_regions,
					 nr, &reader->super.uuid, sector,
					 block + at) < 0)
			reader->metadata->nr_damaged++;
		else
			reader->nr_regions += nr;
		left -= nr;
	}
	sort_regions(reader);
	return 0;
}

/* Adds to @map, which is of leaf @leaf, what the intents have there. */
static void add_intents(struct reader *reader, uint64_t leaf,
			struct bitmap *map)
{
	uint64_t first = leaf * DSYNC_LEAF_BITS;
	uint64_t region_blocks =
		reader->super.region_sectors / reader->super.block_sectors;

	while (reader->next_region < reader->nr_regions) {
		uint64_t begin =
			reader->regions[reader->next_region] * region_blocks;
		uint64_t end = begin + region_blocks;

		if (begin >= first + DSYNC_LEAF_BITS)
			return;
		if (begin < first)
			begin = first;
		bitmap_set(map, begin - first,
			   (end < first + DSYNC_LEAF_BITS
				    ? end
				    : first + DSYNC_LEAF_BITS) -
				   begin);
		if (end > first + DSYNC_LEAF_BITS)
			return; /* goes on in the next leaf */
		reader->next_region++;
	}
}

static uint64_t count_suspects(const struct reader *reader)
{
	uint64_t region_blocks =
		reader->super.region_sectors / reader->super.block_sectors;
	uint64_t count = reader->nr_regions * region_blocks, end;

	if (!reader->nr_regions)
		return 0;
	end = (reader->regions[reader->nr_regions - 1] + UINT64_C(1)) *
	      region_blocks;
	if (end > reader->metadata->nr_blocks)
		count -= end - reader->metadata->nr_blocks;
	return count;
}

/* ---------------------------------------------------------------- bitmaps */

/* Bits beyond the last block of the disk do not count. */
static void mask_tail(const struct reader *reader, uint64_t leaf,
		      struct bitmap *map)
{
	uint64_t left = reader->metadata->nr_blocks - leaf * DSYNC_LEAF_BITS;

	if (left < DSYNC_LEAF_BITS)
		bitmap_clear(map, left, DSYNC_LEAF_BITS - left);
}

static void read_leaf(struct reader *reader, unsigned int slot, uint64_t leaf,
		      struct bitmap *map)
{
	uint64_t sector = dsync_layout_leaf_sector(&reader->layout, slot, leaf);
	uint8_t block[DSYNC_META_BLOCK_BYTES];

	read_block(reader, sector, block);
	reader->metadata->nr_damaged +=
		dsync_leaf_decode(map->bits, reader->super.generation[slot],
				  &reader->super.uuid, sector, block);
	mask_tail(reader, leaf, map);
}

static int read_bitmaps(struct reader *reader, struct err *err)
{
	struct metadata *metadata = reader->metadata;
	unsigned int slot = reader->super.dirty_slot;
	_cleanup_bitmap_ struct bitmap *dirty = bitmap_new(DSYNC_LEAF_BITS);
	_cleanup_bitmap_ struct bitmap *frozen = bitmap_new(DSYNC_LEAF_BITS);

	if (!dirty || !frozen)
		return fail(err, -ENOMEM, "out of memory");
	for (uint64_t leaf = 0; leaf < reader->layout.nr_leaves; leaf++) {
		read_leaf(reader, slot, leaf, dirty);
		metadata->dirty += bitmap_count(dirty);
		if (metadata->open[0]) {
			read_leaf(reader, !slot, leaf, frozen);
			metadata->frozen += bitmap_count(frozen);
			bitmap_or(dirty, frozen);
		}
		add_intents(reader, leaf, dirty);
		mask_tail(reader, leaf, dirty);
		metadata->dirty_at_load += bitmap_count(dirty);
	}
	metadata->counted = true;
	return 0;
}

/* ---------------------------------------------------------------- outcome */

static int set_state(struct reader *reader, enum tracker_state state,
		     const char *why)
{
	reader->metadata->state = state;
	reader->metadata->why = why;
	return 0;
}

static int lost(struct reader *reader, const char *why)
{
	reader->metadata->dirty_at_load = reader->metadata->nr_blocks;
	return set_state(reader, TRACKER_LOST, why);
}

static int decide_clean(struct reader *reader)
{
	reader->metadata->suspect = reader->super.suspect_blocks;
	if (reader->super.state == DSYNC_SUPER_STATE_LOST)
		return set_state(reader, TRACKER_LOST,
				 "shut down cleanly, lost before");
	if (reader->super.state == DSYNC_SUPER_STATE_RECOVERED)
		return set_state(reader, TRACKER_RECOVERED,
				 "shut down cleanly, recovered before");
	if (reader->metadata->nr_damaged)
		return set_state(reader, TRACKER_RECOVERED,
				 "shut down cleanly, but sectors of the "
				 "bitmaps are damaged");
	return set_state(reader, TRACKER_CLEAN, "shut down cleanly");
}

static int decide_unclean(struct reader *reader)
{
	reader->metadata->nr_regions = reader->nr_regions;
	reader->metadata->suspect = count_suspects(reader);
	if (reader->metadata->nr_damaged)
		return set_state(reader, TRACKER_RECOVERED,
				 "not shut down cleanly, and sectors of the "
				 "bitmaps are damaged");
	return set_state(reader, TRACKER_RECOVERED, "not shut down cleanly");
}

static int load(struct reader *reader, struct err *err)
{
	struct metadata *metadata = reader->metadata;
	uint64_t needs_bytes =
		dsync_layout_sectors(&reader->layout) * SECTOR_BYTES;
	int r = 0;

	if (reader->super.flags & DSYNC_SUPER_LOST)
		return lost(reader, "marked as lost");
	if (reader->size_bytes < needs_bytes)
		return lost(reader, "the device is too small for its layout");
	if (!metadata->clean_shutdown)
		r = read_intents(reader, err);
	if (r == 0 && metadata->nr_damaged)
		return lost(reader, "not shut down cleanly, and sectors of the "
				    "intents are damaged");
	if (r == 0)
		r = read_bitmaps(reader, err);
	if (r < 0)
		return r;
	return metadata->clean_shutdown ? decide_clean(reader)
					: decide_unclean(reader);
}

int metadata_read(const char *path, struct metadata *ret_metadata,
		  struct err *err)
{
	_cleanup_close_ int fd =
		open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	struct reader reader = {
		.path = path, .fd = fd, .metadata = ret_metadata};
	int r;

	*ret_metadata = (struct metadata){0};
	if (fd < 0)
		return fail_errno(err, -errno, "%s", path);
	r = io_size_bytes(fd, &reader.size_bytes);
	if (r == -ENOTBLK)
		return fail(err, r, "%s: neither a device nor a file", path);
	if (r < 0)
		return fail_errno(err, r, "%s", path);
	/* The module writes past the page cache, which may have old content. */
	(void)posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
	r = read_super(&reader, err);
	if (r < 0)
		return r;
	describe_super(&reader);
	r = load(&reader, err);
	free(reader.regions);
	return r;
}

uint64_t metadata_needs_bytes(uint64_t data_sectors, unsigned int block_sectors)
{
	struct dsync_layout layout;

	dsync_layout_init(&layout, (data_sectors - 1) / block_sectors + 1,
			  DSYNC_DEFAULT_ACTIVE_REGIONS);
	return dsync_layout_sectors(&layout) * SECTOR_BYTES;
}
