/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Metadata that was tampered with is refused or read on the safe side, by the
 * module's own codec.
 *
 *	1	flags: 1: sums stay as they are, 2: the second superblock, too
 *	...	struct dsync_meta_super
 *	...	sectors: 2 bytes where, 1 byte how many follow, 1 byte how many
 *		generations it is older than the first one's; and those
 *
 * make-seeds.c writes it so.
 */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <linux/xxhash.h>
#include <asm/byteorder.h>

#include "base/err.h"
#include "dm-dsync-codec.h"
#include "dm/metadata.h"
#include "fuzz.h"

#define FILE_BYTES (1 << 18)
#define SECTOR_BYTES 512

static uint8_t file[FILE_BYTES];

static void seal(struct dsync_meta_sector *sector, uint64_t seed)
{
	sector->sum = cpu_to_le64(
		xxh64(sector, offsetof(struct dsync_meta_sector, sum), seed));
}

static void unfold(struct input *input)
{
	struct dsync_meta_sector *sectors = (void *)file;
	struct dsync_meta_super *super = (void *)file;
	uint8_t flags = input_byte(input);
	__le64 head;

	memset(file, 0, sizeof(file));
	input_bytes(input, super, sizeof(*super));
	if (!(flags & 1)) {
		memcpy(super->magic, DSYNC_META_MAGIC, sizeof(super->magic));
		super->version = cpu_to_le32(DSYNC_META_VERSION);
		seal(sectors, 0);
	}
	if (flags & 2)
		memcpy(file + DSYNC_META_BLOCK_BYTES, file, SECTOR_BYTES);
	memcpy(&head, super->uuid, sizeof(head));
	while (input->left) {
		uint16_t at = input_byte(input) | input_byte(input) << 8;
		uint8_t length = input_byte(input), age = input_byte(input);
		struct dsync_meta_sector *sector =
			&sectors[at % (FILE_BYTES / SECTOR_BYTES)];

		input_bytes(input, sector->payload, length);
		sector->generation =
			cpu_to_le32(le32_to_cpu(super->generation[0]) - age);
		if (at >= DSYNC_INTENT_BLOCK * DSYNC_META_BLOCK_SECTORS)
			seal(sector, le64_to_cpu(head) + (sector - sectors));
	}
}

/* What decodes encodes to the same, but for what is not used. */
static void check_super(const void *block)
{
	uint8_t again[DSYNC_META_BLOCK_BYTES];
	struct dsync_super super, same;

	if (dsync_super_decode(&super, block) < 0)
		return;
	dsync_super_encode(&super, again);
	promise(dsync_super_decode(&same, again) == 0);
	promise(memcmp(again, block, offsetof(struct dsync_meta_super, zero)) ==
		0);
	promise(super.active_regions <= 65536);
}

static void check(const struct metadata *metadata)
{
	promise(metadata->copy == 0 || metadata->copy == 1);
	promise(metadata->why && metadata->nr_blocks);
	promise(metadata->dirty_at_load <= metadata->nr_blocks);
	if (!metadata->counted) {
		promise(metadata->state == TRACKER_LOST);
		promise(metadata->dirty_at_load == metadata->nr_blocks);
		return;
	}
	promise(metadata->dirty <= metadata->dirty_at_load);
	promise(metadata->frozen <= metadata->dirty_at_load);
	promise(metadata->clean_shutdown ||
		metadata->suspect <= metadata->nr_blocks);
}

void fuzz_one(const uint8_t *data, size_t size)
{
	struct input input = {data, size};
	struct metadata metadata;
	struct err err = {0};
	const char *path;

	unfold(&input);
	check_super(file);
	path = fuzz_file("metadata", file, sizeof(file));
	if (metadata_read(path, &metadata, &err) < 0) {
		promise(err.text[0] && !strchr(err.text, '\n'));
		return;
	}
	check(&metadata);
}
