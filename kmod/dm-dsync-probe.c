// SPDX-License-Identifier: GPL-2.0-only
/*
 * The probe: what is on META_DEV?
 *
 * Only what was read and is neither ours nor blank counts as somebody else's,
 * and is never written to. If nothing could be read, it may still be ours:
 * then it has to be asked again, so that it can be told that tracking was
 * lost, before somebody trusts what it says.
 */
#include <linux/blkdev.h>
#include <linux/string.h>

#include "dm-dsync-meta.h"

static int read_blocks(struct dsync_io **io, u64 sector, unsigned int bytes)
{
	return dsync_io_run(io, REQ_OP_READ | REQ_SYNC | REQ_META, sector,
			    bytes);
}

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

static enum dsync_find find_blank(struct block_device *bdev,
				  struct dsync_io **io)
{
	u64 end = min_t(u64, bdev_nr_sectors(bdev),
			DSYNC_META_BLANK_BYTES >> SECTOR_SHIFT);
	unsigned int bytes;
	u64 at;

	for (at = 0; at < end; at += DSYNC_IO_BYTES >> SECTOR_SHIFT) {
		bytes = min_t(u64, DSYNC_IO_BYTES, (end - at) << SECTOR_SHIFT);
		if (read_blocks(io, at, bytes))
			return DSYNC_FOUND_NOTHING;
		if (memchr_inv((*io)->buf, 0, bytes))
			return DSYNC_FOUND_UNKNOWN;
	}
	return DSYNC_FOUND_BLANK;
}

/**
 * dsync_meta_probe() - looks what is on META_DEV
 * @io: is used for it; if it is given up, becomes NULL
 * @super: becomes the superblock, if there is one
 *
 * Return: what was found.
 *
 * Context: may sleep, but not much longer than the timeout.
 */
enum dsync_find dsync_meta_probe(struct dsync_io **io,
				 struct dsync_super *super)
{
	struct block_device *bdev;
	struct dsync_super found;
	int r;

	if (!*io)
		return DSYNC_FOUND_NOTHING;
	bdev = (*io)->disk->bdev;
	if (bdev_nr_sectors(bdev) <
	    DSYNC_SUPER_COPIES * DSYNC_META_BLOCK_SECTORS)
		return DSYNC_FOUND_UNKNOWN;
	if (!read_supers(io))
		return DSYNC_FOUND_NOTHING;
	r = dsync_super_pick(&found, (*io)->buf);
	if (r == -ENODATA)
		return find_blank(bdev, io);
	if (r < 0)
		return DSYNC_FOUND_UNKNOWN;
	*super = found;
	return DSYNC_FOUND_SUPER;
}
