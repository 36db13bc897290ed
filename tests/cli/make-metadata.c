/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * make-metadata IMAGE [NAME=VALUE]...
 *
 * Makes an image of a META_DEV with kmod's codec.  A NAME is a number of the
 * superblock, a uuid given as one hexadecimal digit that is repeated, or
 *
 *	generation=N	of slot 0; that of slot 1 is N + 10
 *	dirty=A-B,C	blocks whose bits are set in the slot of the dirty set
 *	frozen=...	the same in the other slot
 *	intents=...	regions
 *	behind=N	by so much the sequence of copy 1 is less
 *	version=N	with a right sum
 *
 * Prints the first byte of the intents, and of the first leaf of either slot.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <linux/xxhash.h>
#include <asm/byteorder.h>

#include "dm-dsync-codec.h"

#define BLOCK DSYNC_META_BLOCK_BYTES

static struct dsync_super super = {
	.uuid = {{0xaa, 0xaa}},
	.sequence = 10,
	.data_sectors = 1 << 20, /* 512 MiB */
	.block_sectors = 8,
	.region_sectors = 2048,
	.active_regions = 1024,
	.generation = {5, 15},
};
static struct dsync_layout layout;
static uint64_t nr_blocks;
static const char *dirty = "", *frozen = "", *intents = "";
static unsigned long behind, version = DSYNC_META_VERSION;
static int fd;

static void die(const char *what)
{
	perror(what);
	exit(1);
}

static void put(const void *block, uint64_t sector)
{
	if (pwrite(fd, block, BLOCK, sector * 512) != BLOCK)
		die("write");
}

/* Calls @set for each number of a list of A or A-B. */
static void for_each(const char *list, void (*set)(void *to, uint64_t n),
		     void *to)
{
	while (*list) {
		char *end;
		uint64_t first = strtoull(list, &end, 10), last = first;

		if (*end == '-')
			last = strtoull(end + 1, &end, 10);
		for (; first <= last; first++)
			set(to, first);
		list = *end ? end + 1 : end;
	}
}

static void set_bit(void *to, uint64_t n)
{
	((uint8_t *)to)[n / 8] |= 1 << n % 8;
}

static void set_region(void *to, uint64_t n)
{
	*(*(uint32_t **)to)++ = n;
}

static void write_slot(unsigned int slot, const char *list)
{
	uint8_t *bits = calloc(layout.nr_leaves, DSYNC_LEAF_BYTES);
	uint8_t block[BLOCK];

	for_each(list, set_bit, bits);
	for (unsigned long leaf = 0; leaf < layout.nr_leaves; leaf++) {
		uint64_t sector = dsync_layout_leaf_sector(&layout, slot, leaf);

		dsync_leaf_encode(bits + leaf * DSYNC_LEAF_BYTES,
				  super.generation[slot], &super.uuid, sector,
				  block);
		put(block, sector);
	}
	free(bits);
}

static void write_intents(void)
{
	static uint32_t regions[67 * DSYNC_BLOCK_INTENTS];
	uint32_t *next = regions;
	uint8_t block[BLOCK];

	memset(regions, 0xff, sizeof(regions));
	for_each(intents, set_region, &next);
	for (unsigned int i = 0; i < layout.intent_blocks; i++) {
		uint64_t sector = (DSYNC_INTENT_BLOCK + i) * 8;

		dsync_intents_encode(regions + i * DSYNC_BLOCK_INTENTS,
				     DSYNC_BLOCK_INTENTS, &super.uuid, sector,
				     block);
		put(block, sector);
	}
}

static void write_supers(void)
{
	uint8_t block[BLOCK];
	struct dsync_meta_sector *s = (void *)block;

	for (int i = 0; i < DSYNC_SUPER_COPIES; i++) {
		dsync_super_encode(&super, block);
		((struct dsync_meta_super *)block)->version =
			cpu_to_le32(version);
		s->sum = cpu_to_le64(
			xxh64(s, offsetof(struct dsync_meta_sector, sum), 0));
		put(block, i * 8);
		super.sequence -= behind;
	}
}

static void set_uuid(uuid_t *uuid, const char *digit)
{
	memset(uuid, 0x11 * strtoul(digit, NULL, 16), sizeof(*uuid));
}

static void set(const char *name, const char *value)
{
	unsigned long n = strtoul(value, NULL, 10);

#define NUMBER(field)                  \
	if (strcmp(name, #field) == 0) \
	super.field = n
#define UUID(field)                    \
	if (strcmp(name, #field) == 0) \
	set_uuid(&super.field, value)
	NUMBER(flags);
	NUMBER(sequence);
	NUMBER(data_sectors);
	NUMBER(block_sectors);
	NUMBER(region_sectors);
	NUMBER(active_regions);
	NUMBER(state);
	NUMBER(suspect_blocks);
	NUMBER(dirty_slot);
	UUID(uuid);
	UUID(epoch);
	UUID(previous);
	UUID(open);
#undef NUMBER
#undef UUID
	if (strcmp(name, "generation") == 0) {
		super.generation[0] = n;
		super.generation[1] = n + 10;
	}
	if (strcmp(name, "dirty") == 0)
		dirty = value;
	if (strcmp(name, "frozen") == 0)
		frozen = value;
	if (strcmp(name, "intents") == 0)
		intents = value;
	if (strcmp(name, "behind") == 0)
		behind = n;
	if (strcmp(name, "version") == 0)
		version = n;
}

int main(int argc, char **argv)
{
	if (argc < 2)
		return 2;
	for (int i = 2; i < argc; i++) {
		char *value = strchr(argv[i], '=');

		if (!value)
			return 2;
		*value = '\0';
		set(argv[i], value + 1);
	}
	nr_blocks = (super.data_sectors - 1) / super.block_sectors + 1;
	dsync_layout_init(&layout, nr_blocks, super.active_regions);
	fd = open(argv[1], O_RDWR | O_CREAT | O_TRUNC, 0600);
	if (fd < 0 || ftruncate(fd, dsync_layout_sectors(&layout) * 512) < 0)
		die(argv[1]);
	write_slot(super.dirty_slot, dirty);
	write_slot(!super.dirty_slot, frozen);
	write_intents();
	write_supers();
	printf("%d %lu %lu\n", DSYNC_INTENT_BLOCK * BLOCK,
	       (unsigned long)dsync_layout_leaf_sector(&layout, 0, 0) * 512,
	       (unsigned long)dsync_layout_leaf_sector(&layout, 1, 0) * 512);
	return 0;
}
