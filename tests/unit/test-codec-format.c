// SPDX-License-Identifier: GPL-2.0-only
/*
 * kmod's format on disk, in numbers: what is written today must be read by all
 * later versions. And the layout: nothing overlaps, and nothing ever moves.
 */
#include <linux/xxhash.h>
#include <asm/byteorder.h>

#include "codec.h"

/* Whoever has to change a number here makes another version of the format. */
static void the_structures_are_those_of_version_1(void **state)
{
#define AT(struct_name, field, offset, bytes)                              \
	do {                                                               \
		struct dsync_meta_##struct_name *p = NULL;                 \
		assert_int_equal(offsetof(struct dsync_meta_##struct_name, \
					  field),                          \
				 offset);                                  \
		assert_int_equal(sizeof(p->field), bytes);                 \
	} while (0)
	AT(sector, payload, 0, 496);
	AT(sector, generation, 496, 4);
	AT(sector, zero, 500, 4);
	AT(sector, sum, 504, 8);
	assert_int_equal(sizeof(struct dsync_meta_sector), 512);

	AT(super, magic, 0, 8);
	AT(super, version, 8, 4);
	AT(super, flags, 12, 4);
	AT(super, uuid, 16, 16);
	AT(super, sequence, 32, 8);
	AT(super, data_sectors, 40, 8);
	AT(super, block_sectors, 48, 4);
	AT(super, region_sectors, 52, 4);
	AT(super, active_regions, 56, 4);
	AT(super, state, 60, 4);
	AT(super, suspect_blocks, 64, 8);
	AT(super, dirty_slot, 72, 4);
	AT(super, generation, 76, 8);
	AT(super, zero, 84, 4);
	AT(super, epoch, 88, 16);
	AT(super, previous, 104, 16);
	AT(super, open, 120, 16);
	AT(super, ended, 136, 16);
	AT(super, aborted, 152, 16);
	assert_int_equal(sizeof(struct dsync_meta_super), 168);
#undef AT
}

static void the_constants_are_those_of_version_1(void **state)
{
	assert_string_equal(DSYNC_META_MAGIC, "dsyncmap");
	assert_int_equal(DSYNC_META_VERSION, 1);
	assert_int_equal(DSYNC_META_BLOCK_BYTES, 4096);
	assert_int_equal(DSYNC_META_BLOCK_SECTORS, 8);
	assert_int_equal(DSYNC_META_PAYLOAD_BYTES, 496);
	assert_int_equal(DSYNC_META_BLANK_BYTES, 1048576);
	assert_int_equal(DSYNC_SUPER_BLOCK, 0);
	assert_int_equal(DSYNC_SUPER_COPIES, 2);
	assert_int_equal(DSYNC_INTENT_BLOCK, 2);
	assert_int_equal(DSYNC_NR_SLOTS, 2);
	assert_int_equal(DSYNC_SLOT_TURN, 16);
	assert_int_equal(DSYNC_SECTOR_INTENTS, 124);
	assert_int_equal(DSYNC_BLOCK_INTENTS, 992);
	assert_int_equal(DSYNC_SECTOR_BITS, 3968);
	assert_int_equal(DSYNC_LEAF_BYTES, 3968);
	assert_int_equal(DSYNC_LEAF_BITS, 31744);
	assert_int_equal(DSYNC_NO_REGION, 4294967295);
	assert_int_equal(DSYNC_SUPER_CLEAN, 1);
	assert_int_equal(DSYNC_SUPER_LOST, 2);
	assert_int_equal(DSYNC_SUPER_STATE_CLEAN, 0);
	assert_int_equal(DSYNC_SUPER_STATE_RECOVERED, 1);
	assert_int_equal(DSYNC_SUPER_STATE_LOST, 3);
}

/* The sums, too, depend on nothing but the format. */
static void the_bytes_are_those_of_version_1(void **state)
{
	static const u32 regions[] = {5, 0x01020304};
	struct dsync_super super = some_super();
	u8 block[BLOCK], bits[DSYNC_LEAF_BYTES] = {0x80, 0, 7};
	struct dsync_meta_sector *s = (void *)block;

	dsync_super_encode(&super, block);
	assert_memory_equal(block, "dsyncmap\1\0\0\0\1\0\0\0\xa0\1", 18);
	assert_memory_equal(block + 32, "\10\7\6\5\4\3\2\1\x15\x14\x13", 11);
	assert_memory_equal(block + 76, "\x34\x33\x32\x31\x44\x43\x42\x41", 8);
	assert_true(all_are(block + 168, 0, 504 - 168));
	assert_true(all_are(block + 512, 0, BLOCK - 512));
	assert_int_equal(le64_to_cpu(s->sum), 0x1603378ad06814a);

	dsync_intents_encode(regions, 2, &super.uuid, 16, block);
	assert_memory_equal(block, "\5\0\0\0\4\3\2\1\xff\xff\xff\xff", 12);
	assert_true(all_are(block + 8, 0xff, 496 - 8));
	assert_true(all_are(block + 496, 0, 8));
	assert_int_equal(le64_to_cpu(s[0].sum), 0xe37dd498ceba3eb7);
	assert_int_equal(le64_to_cpu(s[7].sum), 0xa3cddd64c5616fef);

	dsync_leaf_encode(bits, 0x51525354, &super.uuid, 32, block);
	assert_memory_equal(block, "\x80\0\7\0", 4);
	assert_memory_equal(block + 496, "\x54\x53\x52\x51\0\0\0\0", 8);
	assert_int_equal(le64_to_cpu(s[0].sum), 0x1ff412c6e870a6e4);
	assert_int_equal(le64_to_cpu(s[7].sum), 0xf50531a081169ce5);
}

/*-----------------------------------------------------------------*/

/* What every block of META_DEV is used for, by who would be the first. */
static u8 *used;

static void use(u64 sector, u64 limit)
{
	u64 block = sector / DSYNC_META_BLOCK_SECTORS;

	assert_int_equal(sector % DSYNC_META_BLOCK_SECTORS, 0);
	assert_true(sector + DSYNC_META_BLOCK_SECTORS <= limit);
	if (used[block]++)
		fail_msg("block %llu is used twice", (unsigned long long)block);
}

static void check_layout(u64 nr_blocks, unsigned int active_regions)
{
	struct dsync_layout layout;
	u64 limit, sector, before = 0;

	dsync_layout_init(&layout, nr_blocks, active_regions);
	assert_true((u64)layout.nr_leaves * DSYNC_LEAF_BITS >= nr_blocks);
	assert_true((u64)(layout.nr_leaves - 1) * DSYNC_LEAF_BITS < nr_blocks);
	assert_true(layout.intent_blocks * DSYNC_BLOCK_INTENTS >=
		    active_regions);

	limit = dsync_layout_sectors(&layout);
	used = calloc(limit / DSYNC_META_BLOCK_SECTORS, 1);
	for (unsigned int i = 0; i < DSYNC_SUPER_COPIES; i++)
		use((DSYNC_SUPER_BLOCK + i) * 8, limit);
	for (unsigned int i = 0; i < layout.intent_blocks; i++)
		use((DSYNC_INTENT_BLOCK + i) * 8, limit);
	for (unsigned int slot = 0; slot < DSYNC_NR_SLOTS; slot++) {
		for (unsigned long i = 0; i < layout.nr_leaves; i++) {
			sector = dsync_layout_leaf_sector(&layout, slot, i);
			use(sector, limit);
			if (i % DSYNC_SLOT_TURN)
				assert_int_equal(sector, before + 8);
			before = sector;
		}
	}
	/* nothing is larger than it must be, and the end is used */
	assert_int_equal(used[limit / 8 - 1], 1);
	free(used);
}

static void nothing_overlaps_on_devices_of_any_size(void **state)
{
	static const unsigned int active[] = {1, 4, 992, 993, 1024, 65536};

	for (size_t i = 0; i < ARRAY_SIZE(active); i++) {
		for (u64 leaves = 1; leaves < 100; leaves++) {
			check_layout(leaves * DSYNC_LEAF_BITS - 1, active[i]);
			check_layout(leaves * DSYNC_LEAF_BITS, active[i]);
			check_layout(leaves * DSYNC_LEAF_BITS + 1, active[i]);
		}
		check_layout(1, active[i]);
		check_layout(1ULL << 34, active[i]); /* 64 TiB of 4 KiB */
	}
	for (int i = 0; i < 300; i++)
		check_layout(1 + random_u64() % (1ULL << below(35)),
			     1 + below(65536));
}

static void a_larger_disk_keeps_all_leaves_where_they_were(void **state)
{
	for (int i = 0; i < 300; i++) {
		unsigned int active = 1 + below(65536);
		u64 nr_blocks = 1 + random_u64() % (1ULL << below(30));
		u64 more = nr_blocks + random_u64() % (1ULL << below(35));
		struct dsync_layout small, large;

		dsync_layout_init(&small, nr_blocks, active);
		dsync_layout_init(&large, more, active);
		assert_true(dsync_layout_sectors(&large) >=
			    dsync_layout_sectors(&small));
		for (unsigned long j = 0; j < small.nr_leaves * 2; j++)
			assert_int_equal(
				dsync_layout_leaf_sector(&small, j % 2, j / 2),
				dsync_layout_leaf_sector(&large, j % 2, j / 2));
	}
}

static void things_are_where_version_1_has_them(void **state)
{
	static const struct {
		unsigned int active, slot;
		u64 leaf, block;
	} cases[] = {
		{992, 0, 0, 3},    {992, 1, 0, 19},
		{993, 0, 0, 4},    {1024, 0, 15, 19},
		{1024, 1, 0, 20},  {1024, 1, 15, 35},
		{1024, 0, 16, 36}, {1024, 1, 16, 52},
		{65536, 0, 0, 69}, {1024, 1, 541200, 1082420},
	};
	struct dsync_layout layout;

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		dsync_layout_init(&layout, 1ULL << 34, cases[i].active);
		assert_int_equal(dsync_layout_leaf_sector(
					 &layout, cases[i].slot, cases[i].leaf),
				 cases[i].block * 8);
	}
	dsync_layout_init(&layout, 1, 1024);
	assert_int_equal(dsync_layout_sectors(&layout), 21 * 8);
	dsync_layout_init(&layout, 1 << 18, 1024); /* 1 GiB */
	assert_int_equal(dsync_layout_sectors(&layout), (20 + 9) * 8);
}

/*-----------------------------------------------------------------*/

#define TEST(name) cmocka_unit_test(name)
static const struct CMUnitTest tests[] = {
	TEST(the_structures_are_those_of_version_1),
	TEST(the_constants_are_those_of_version_1),
	TEST(the_bytes_are_those_of_version_1),
	TEST(nothing_overlaps_on_devices_of_any_size),
	TEST(a_larger_disk_keeps_all_leaves_where_they_were),
	TEST(things_are_where_version_1_has_them),
};

RUN(tests);
