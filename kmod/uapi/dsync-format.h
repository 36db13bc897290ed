/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What is on META_DEV, see dm-dsync(4).
 *
 * The device is used in blocks of 4 KiB:
 *
 *	0		superblock
 *	1		the same again
 *	2 ...		intents: the regions whose bits in the bitmaps may be
 *			behind, 992 to a block
 *	then		two bitmaps, "slots", in turns of 16 blocks, so that
 *			both can grow; a block of a bitmap is called a leaf
 *
 * and written in sectors of 512 bytes that stand for themselves: a power cut
 * leaves each of them old or new. So each has its own sum, and any mix of old
 * and new sectors that a cut can leave is a sound state. Numbers are
 * little-endian.
 */
#ifndef UAPI_DSYNC_FORMAT_H
#define UAPI_DSYNC_FORMAT_H

#include <linux/types.h>

#define DSYNC_META_MAGIC "dsyncmap"
#define DSYNC_META_VERSION 1

#define DSYNC_META_BLOCK_BYTES 4096
#define DSYNC_META_BLOCK_SECTORS 8
#define DSYNC_META_PAYLOAD_BYTES 496

/* META_DEV is formatted if this much of it is zero. */
#define DSYNC_META_BLANK_BYTES (1 << 20)

#define DSYNC_SUPER_BLOCK 0
#define DSYNC_SUPER_COPIES 2
#define DSYNC_INTENT_BLOCK 2

#define DSYNC_NR_SLOTS 2
#define DSYNC_SLOT_TURN 16

/* Regions in the intents of a sector, and blocks in a leaf */
#define DSYNC_SECTOR_INTENTS (DSYNC_META_PAYLOAD_BYTES / 4)
#define DSYNC_BLOCK_INTENTS (DSYNC_SECTOR_INTENTS * DSYNC_META_BLOCK_SECTORS)
#define DSYNC_SECTOR_BITS (DSYNC_META_PAYLOAD_BYTES * 8)
#define DSYNC_LEAF_BYTES (DSYNC_META_PAYLOAD_BYTES * DSYNC_META_BLOCK_SECTORS)
#define DSYNC_LEAF_BITS (DSYNC_LEAF_BYTES * 8)

#define DSYNC_NO_REGION 0xffffffffU

/**
 * struct dsync_meta_sector - every sector
 * @payload: a struct dsync_meta_super, region numbers of 32 bits each, or bits
 * @generation: in a bitmap: of which epoch; a sector that is older than the
 *	superblock wants of its slot has no bit set, and one that is newer
 *	counts as damaged: the superblock is a stale one. Else 0.
 * @zero: 0
 * @sum: XXH64 of all before it. The seed is 0 in a superblock, else the first
 *	8 bytes of the uuid, as a number, plus the sector's number on the device.
 */
struct dsync_meta_sector {
	__u8 payload[DSYNC_META_PAYLOAD_BYTES];
	__le32 generation;
	__le32 zero;
	__le64 sum;
};

/* struct dsync_meta_super.flags */
/* The bitmaps are complete, the intents void. */
#define DSYNC_SUPER_CLEAN 1
/* The bitmaps cannot be trusted: every block is dirty. */
#define DSYNC_SUPER_LOST 2
#define DSYNC_SUPER_FLAGS (DSYNC_SUPER_CLEAN | DSYNC_SUPER_LOST)

/* struct dsync_meta_super.state */
#define DSYNC_SUPER_STATE_CLEAN 0
#define DSYNC_SUPER_STATE_RECOVERED 1
#define DSYNC_SUPER_STATE_LOST 3

/**
 * struct dsync_meta_super - first sector of a superblock; its others are zero
 * @magic: DSYNC_META_MAGIC
 * @version: DSYNC_META_VERSION
 * @flags: DSYNC_SUPER_...
 * @uuid: of this tracker, made when META_DEV was formatted
 * @sequence: of the two copies the higher one counts
 * @data_sectors: length of what is tracked
 * @block_sectors: size of a block
 * @region_sectors: size of a region
 * @active_regions: how many regions the intents have room for
 * @state: what STATE is to be shown: DSYNC_SUPER_STATE_...
 * @suspect_blocks: what SUSPECT is to be shown
 * @dirty_slot: the slot of the dirty set; the other one has the frozen set
 * @generation: of each slot; only ever grows
 * @epoch: at which the dirty set began, or nil
 * @previous: the one before it
 * @open: the epoch whose frozen set is still owed, or nil
 * @ended: the last one that ended, or nil
 * @aborted: the last one that was aborted, or nil
 */
struct dsync_meta_super {
	__u8 magic[8];
	__le32 version;
	__le32 flags;
	__u8 uuid[16];
	__le64 sequence;
	__le64 data_sectors;
	__le32 block_sectors;
	__le32 region_sectors;
	__le32 active_regions;
	__le32 state;
	__le64 suspect_blocks;
	__le32 dirty_slot;
	__le32 generation[DSYNC_NR_SLOTS];
	__le32 zero;
	__u8 epoch[16];
	__u8 previous[16];
	__u8 open[16];
	__u8 ended[16];
	__u8 aborted[16];
};

#endif
