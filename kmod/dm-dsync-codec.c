// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * How metadata becomes bytes on META_DEV, and back.
 *
 * Notes on the design of this file:
 *
 * Nothing here does I/O, sleeps or allocates: blocks of 4 KiB go in and out,
 * and what comes from a disk is not believed. The format is described in
 * uapi/dsync-format.h; user space reads it, too, with this very code.
 *
 * What is damaged is answered on the safe side: a sector of a bitmap counts
 * as all dirty, while a damaged superblock or intent is an error, since there
 * is no safe guess short of the whole disk.
 */
#include <linux/errno.h>
#include <linux/kernel.h>
#include <linux/log2.h>
#include <linux/string.h>
#include <linux/xxhash.h>
#include <asm/byteorder.h>

#include "dm-dsync-codec.h"
#include "uapi/dsync.h"

/*-----------------------------------------------------------------*/

/**
 * dsync_layout_init() - finds out what is where
 * @layout: becomes the layout
 * @nr_blocks: blocks that are tracked; not 0
 * @active_regions: regions that the intents are to have room for
 */
void dsync_layout_init(struct dsync_layout *layout, u64 nr_blocks,
		       unsigned int active_regions)
{
	layout->intent_blocks =
		DIV_ROUND_UP(active_regions, DSYNC_BLOCK_INTENTS);
	layout->nr_leaves = DIV_ROUND_UP_ULL(nr_blocks, DSYNC_LEAF_BITS);
}

/**
 * dsync_layout_leaf_sector() - where a leaf is
 * @layout: the layout
 * @slot: of which bitmap
 * @leaf: its number
 *
 * The leaves of one slot are contiguous as long as leaf / DSYNC_SLOT_TURN is
 * the same.
 *
 * Return: its first sector on META_DEV.
 */
u64 dsync_layout_leaf_sector(const struct dsync_layout *layout,
			     unsigned int slot, unsigned long leaf)
{
	u64 turn = (u64)(leaf / DSYNC_SLOT_TURN) * DSYNC_NR_SLOTS + slot;
	u64 block = DSYNC_INTENT_BLOCK + layout->intent_blocks +
		    turn * DSYNC_SLOT_TURN + leaf % DSYNC_SLOT_TURN;

	return block * DSYNC_META_BLOCK_SECTORS;
}

/**
 * dsync_layout_sectors() - how large META_DEV must be
 * @layout: the layout
 *
 * Return: its size in sectors.
 */
u64 dsync_layout_sectors(const struct dsync_layout *layout)
{
	unsigned long last = layout->nr_leaves - 1;

	return dsync_layout_leaf_sector(layout, DSYNC_NR_SLOTS - 1, last) +
	       DSYNC_META_BLOCK_SECTORS;
}

/*-----------------------------------------------------------------*/

static u64 seed_of(const uuid_t *uuid, u64 sector)
{
	__le64 head;

	memcpy(&head, uuid, sizeof(head));
	return le64_to_cpu(head) + sector;
}

static u64 sum_of(const struct dsync_meta_sector *s, u64 seed)
{
	return xxh64(s, offsetof(struct dsync_meta_sector, sum), seed);
}

static void seal(struct dsync_meta_sector *s, u32 generation, u64 seed)
{
	s->generation = cpu_to_le32(generation);
	s->zero = 0;
	s->sum = cpu_to_le64(sum_of(s, seed));
}

static bool is_sound(const struct dsync_meta_sector *s, u64 seed)
{
	return le64_to_cpu(s->sum) == sum_of(s, seed);
}

/*-----------------------------------------------------------------*/

/**
 * dsync_super_encode() - writes a superblock
 * @super: the superblock
 * @block: 4 KiB, becomes its image; good for both copies
 */
void dsync_super_encode(const struct dsync_super *super, void *block)
{
	struct dsync_meta_sector *s = block;
	struct dsync_meta_super *m = block;
	int i;

	BUILD_BUG_ON(sizeof(*s) != 512);
	BUILD_BUG_ON(sizeof(*m) > DSYNC_META_PAYLOAD_BYTES);

	memset(block, 0, DSYNC_META_BLOCK_BYTES);
	memcpy(m->magic, DSYNC_META_MAGIC, sizeof(m->magic));
	m->version = cpu_to_le32(DSYNC_META_VERSION);
	m->flags = cpu_to_le32(super->flags);
	memcpy(m->uuid, &super->uuid, sizeof(m->uuid));
	m->sequence = cpu_to_le64(super->sequence);
	m->data_sectors = cpu_to_le64(super->data_sectors);
	m->block_sectors = cpu_to_le32(super->block_sectors);
	m->region_sectors = cpu_to_le32(super->region_sectors);
	m->active_regions = cpu_to_le32(super->active_regions);
	m->state = cpu_to_le32(super->state);
	m->suspect_blocks = cpu_to_le64(super->suspect_blocks);
	m->dirty_slot = cpu_to_le32(super->dirty_slot);
	for (i = 0; i < DSYNC_NR_SLOTS; i++)
		m->generation[i] = cpu_to_le32(super->generation[i]);
	memcpy(m->epoch, &super->epoch, sizeof(m->epoch));
	memcpy(m->previous, &super->previous, sizeof(m->previous));
	memcpy(m->open, &super->open, sizeof(m->open));
	memcpy(m->ended, &super->ended, sizeof(m->ended));
	memcpy(m->aborted, &super->aborted, sizeof(m->aborted));
	seal(s, 0, 0);
}

/* A region's number must fit the intents, and not be DSYNC_NO_REGION. */
static bool is_sane_geometry(const struct dsync_super *super)
{
	return super->data_sectors && is_power_of_2(super->block_sectors) &&
	       super->block_sectors >= DSYNC_MIN_BLOCK_SECTORS &&
	       is_power_of_2(super->region_sectors) &&
	       super->region_sectors >= super->block_sectors &&
	       (super->data_sectors - 1) >> ilog2(super->region_sectors) <
		       DSYNC_NO_REGION;
}

/* Whether the numbers fit each other, however well they are summed. */
static bool is_sane(const struct dsync_super *super)
{
	return is_sane_geometry(super) && super->active_regions &&
	       super->active_regions <= DSYNC_MAX_ACTIVE_REGIONS &&
	       super->dirty_slot < DSYNC_NR_SLOTS &&
	       (super->state == DSYNC_SUPER_STATE_CLEAN ||
		super->state == DSYNC_SUPER_STATE_RECOVERED ||
		super->state == DSYNC_SUPER_STATE_LOST);
}

/**
 * dsync_super_decode() - reads a superblock
 * @super: becomes the superblock
 * @block: 4 KiB from META_DEV
 *
 * Return: 0, -ENODATA if it is none of ours, -EBADMSG if it is damaged, or
 * -EPROTONOSUPPORT if it is of a later version.
 */
int dsync_super_decode(struct dsync_super *super, const void *block)
{
	const struct dsync_meta_super *m = block;
	int i;

	if (memcmp(m->magic, DSYNC_META_MAGIC, sizeof(m->magic)))
		return -ENODATA;
	if (!is_sound(block, 0))
		return -EBADMSG;
	if (le32_to_cpu(m->version) != DSYNC_META_VERSION ||
	    le32_to_cpu(m->flags) & ~DSYNC_SUPER_FLAGS)
		return -EPROTONOSUPPORT;

	super->flags = le32_to_cpu(m->flags);
	memcpy(&super->uuid, m->uuid, sizeof(m->uuid));
	super->sequence = le64_to_cpu(m->sequence);
	super->data_sectors = le64_to_cpu(m->data_sectors);
	super->block_sectors = le32_to_cpu(m->block_sectors);
	super->region_sectors = le32_to_cpu(m->region_sectors);
	super->active_regions = le32_to_cpu(m->active_regions);
	super->state = le32_to_cpu(m->state);
	super->suspect_blocks = le64_to_cpu(m->suspect_blocks);
	super->dirty_slot = le32_to_cpu(m->dirty_slot);
	for (i = 0; i < DSYNC_NR_SLOTS; i++)
		super->generation[i] = le32_to_cpu(m->generation[i]);
	memcpy(&super->epoch, m->epoch, sizeof(m->epoch));
	memcpy(&super->previous, m->previous, sizeof(m->previous));
	memcpy(&super->open, m->open, sizeof(m->open));
	memcpy(&super->ended, m->ended, sizeof(m->ended));
	memcpy(&super->aborted, m->aborted, sizeof(m->aborted));
	return is_sane(super) ? 0 : -EBADMSG;
}

/**
 * dsync_super_pick() - reads both superblocks and finds the one that counts
 * @super: becomes that superblock
 * @blocks: DSYNC_SUPER_COPIES of 4 KiB from META_DEV
 *
 * If one copy is of a later version, the other one is what that version has
 * left behind; and two that differ under one sequence are no guide either.
 *
 * Return: the number of the copy, or an error: -EPROTONOSUPPORT if one is of
 * a later version, else -EBADMSG if none is sound or they contradict each
 * other, else -ENODATA if none is ours.
 */
int dsync_super_pick(struct dsync_super *super, const void *blocks)
{
	const void *second = blocks + DSYNC_META_BLOCK_BYTES;
	struct dsync_super other;
	int r = dsync_super_decode(super, blocks);
	int s = dsync_super_decode(&other, second);

	if (r == -EPROTONOSUPPORT || s == -EPROTONOSUPPORT)
		return -EPROTONOSUPPORT;
	if (!r && !s && super->sequence == other.sequence)
		return memcmp(blocks, second, sizeof(struct dsync_meta_sector))
			       ? -EBADMSG
			       : 0;
	if (!r && (s || super->sequence > other.sequence))
		return 0;
	if (s)
		return r == -EBADMSG ? r : s;
	*super = other;
	return 1;
}

/*-----------------------------------------------------------------*/

/**
 * dsync_intents_encode() - writes a block of intents
 * @regions: region numbers, or DSYNC_NO_REGION
 * @nr: how many, up to DSYNC_BLOCK_INTENTS; the rest of the block has none
 * @uuid: of the tracker
 * @sector: where on META_DEV the block goes
 * @block: 4 KiB, becomes its image
 */
void dsync_intents_encode(const u32 *regions, unsigned int nr,
			  const uuid_t *uuid, u64 sector, void *block)
{
	struct dsync_meta_sector *s = block;
	unsigned int i, n;

	for (n = 0; n < DSYNC_META_BLOCK_SECTORS; n++, s++) {
		__le32 *out = (__le32 *)s->payload;

		for (i = 0; i < DSYNC_SECTOR_INTENTS; i++, nr -= !!nr)
			out[i] = cpu_to_le32(nr ? *regions++ : DSYNC_NO_REGION);
		seal(s, 0, seed_of(uuid, sector + n));
	}
}

/**
 * dsync_intents_decode() - reads a block of intents
 * @regions: becomes the region numbers; not checked against the geometry
 * @nr: how many are wanted, up to DSYNC_BLOCK_INTENTS
 * @uuid: of the tracker
 * @sector: where on META_DEV the block was
 * @block: 4 KiB from there
 *
 * Return: 0 or -EBADMSG: a sector that is wanted is damaged, or a bitmap's.
 */
int dsync_intents_decode(u32 *regions, unsigned int nr, const uuid_t *uuid,
			 u64 sector, const void *block)
{
	const struct dsync_meta_sector *s = block;

	for (; nr; s++, sector++) {
		unsigned int i,
			n = min_t(unsigned int, nr, DSYNC_SECTOR_INTENTS);
		const __le32 *in = (const __le32 *)s->payload;

		if (!is_sound(s, seed_of(uuid, sector)) || s->generation)
			return -EBADMSG;
		for (i = 0; i < n; i++)
			*regions++ = le32_to_cpu(in[i]);
		nr -= n;
	}
	return 0;
}

/*-----------------------------------------------------------------*/

/**
 * dsync_leaf_encode() - writes a leaf of a bitmap
 * @bits: DSYNC_LEAF_BYTES of bits
 * @generation: of the slot
 * @uuid: of the tracker
 * @sector: where on META_DEV the leaf goes
 * @block: 4 KiB, becomes its image
 */
void dsync_leaf_encode(const void *bits, u32 generation, const uuid_t *uuid,
		       u64 sector, void *block)
{
	struct dsync_meta_sector *s = block;
	unsigned int n;

	for (n = 0; n < DSYNC_META_BLOCK_SECTORS; n++, s++) {
		memcpy(s->payload, bits, sizeof(s->payload));
		bits += sizeof(s->payload);
		seal(s, generation, seed_of(uuid, sector + n));
	}
}

/**
 * dsync_leaf_decode() - reads a leaf of a bitmap
 * @bits: becomes DSYNC_LEAF_BYTES of bits, none where a sector is of an older
 *	generation and all where it is damaged, or of a newer one
 * @generation: of the slot
 * @uuid: of the tracker
 * @sector: where on META_DEV the leaf was
 * @block: 4 KiB from there
 *
 * Generations wrap around: half of them are older, half are newer.
 *
 * Return: the number of sectors that are damaged or newer.
 */
unsigned int dsync_leaf_decode(void *bits, u32 generation, const uuid_t *uuid,
			       u64 sector, const void *block)
{
	const struct dsync_meta_sector *s = block;
	unsigned int n, damaged = 0;

	for (n = 0; n < DSYNC_META_BLOCK_SECTORS; n++, s++) {
		s32 age = generation - le32_to_cpu(s->generation);

		if (!is_sound(s, seed_of(uuid, sector + n)) || age < 0) {
			memset(bits, 0xff, sizeof(s->payload));
			damaged++;
		} else if (age) {
			memset(bits, 0, sizeof(s->payload));
		} else {
			memcpy(bits, s->payload, sizeof(s->payload));
		}
		bits += sizeof(s->payload);
	}
	return damaged;
}
