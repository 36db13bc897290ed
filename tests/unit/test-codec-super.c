// SPDX-License-Identifier: GPL-2.0-only
/*
 * kmod's superblocks: one is read back or refused, and of two the right one
 * counts.
 */
#include <linux/errno.h>
#include <linux/xxhash.h>
#include <asm/byteorder.h>

#include "codec.h"

static struct dsync_super random_super(void)
{
	struct dsync_super super = some_super();

	super.flags = below(4);
	super.uuid = random_uuid();
	super.sequence = random_u64();
	super.block_sectors = 8 << below(10);
	super.region_sectors = super.block_sectors << below(10);
	super.data_sectors = 1 + random_u64() % ((u64)super.region_sectors *
						 DSYNC_NO_REGION);
	super.active_regions = 1 + below(65536);
	super.state = (u8[]){0, 1, 3}[below(3)];
	super.suspect_blocks = random_u64();
	super.dirty_slot = below(2);
	super.generation[0] = random_u64();
	super.generation[1] = random_u64();
	super.epoch = random_uuid();
	super.previous = random_uuid();
	super.open = random_uuid();
	super.ended = random_uuid();
	super.aborted = random_uuid();
	return super;
}

static bool same(const struct dsync_super *a, const struct dsync_super *b)
{
	u8 x[BLOCK], y[BLOCK];

	dsync_super_encode(a, x);
	dsync_super_encode(b, y);
	return memcmp(x, y, BLOCK) == 0;
}

/* A right sum under whatever was done to the first sector of a superblock. */
static void seal_super(void *block)
{
	struct dsync_meta_sector *s = block;

	s->sum = cpu_to_le64(
		xxh64(s, offsetof(struct dsync_meta_sector, sum), 0));
}

/*-----------------------------------------------------------------*/

static void superblocks_are_read_back(void **state)
{
	for (int i = 0; i < 2000; i++) {
		struct dsync_super super = random_super(), copy;
		u8 block[BLOCK];

		random_bytes(&copy, sizeof(copy));
		dsync_super_encode(&super, block);
		assert_int_equal(dsync_super_decode(&copy, block), 0);
		assert_true(same(&super, &copy));
	}
}

static void every_damaged_byte_of_a_superblock_is_noticed(void **state)
{
	struct dsync_super super = random_super(), copy;
	u8 block[BLOCK];

	dsync_super_encode(&super, block);
	for (int at = 0; at < SECTOR; at++) {
		for (int x = 1; x < 256; x++) {
			block[at] ^= x;
			assert_int_equal(dsync_super_decode(&copy, block),
					 at < 8 ? -ENODATA : -EBADMSG);
			block[at] ^= x;
		}
	}
	assert_int_equal(dsync_super_decode(&copy, block), 0);
}

static void what_is_no_superblock_is_not_taken_for_one(void **state)
{
	static u8 block[BLOCK];
	struct dsync_super super;

	assert_int_equal(dsync_super_decode(&super, block), -ENODATA);
	memset(block, 0xff, BLOCK);
	assert_int_equal(dsync_super_decode(&super, block), -ENODATA);
	for (int i = 0; i < 1000; i++) {
		random_bytes(block, BLOCK);
		assert_int_equal(dsync_super_decode(&super, block), -ENODATA);
		memcpy(block, DSYNC_META_MAGIC, 8);
		assert_int_equal(dsync_super_decode(&super, block), -EBADMSG);
	}
}

static void a_later_version_is_refused_as_such(void **state)
{
	struct dsync_super super = random_super(), copy;
	u8 block[BLOCK];
	struct dsync_meta_super *m = (void *)block;

	dsync_super_encode(&super, block);
	m->version = cpu_to_le32(2);
	assert_int_equal(dsync_super_decode(&copy, block), -EBADMSG);
	seal_super(block);
	assert_int_equal(dsync_super_decode(&copy, block), -EPROTONOSUPPORT);

	for (int bit = 2; bit < 32; bit++) {
		super.flags = 1U << bit;
		dsync_super_encode(&super, block);
		assert_int_equal(dsync_super_decode(&copy, block),
				 -EPROTONOSUPPORT);
	}
}

static void numbers_beyond_reason_are_refused_under_a_right_sum(void **state)
{
	static const struct {
		size_t at;
		u64 value;
		bool is_long, sane;
	} cases[] = {
#define SHORT(field, value, sane) \
	{offsetof(struct dsync_meta_super, field), value, false, sane}
#define LONG(field, value, sane)                                            \
	{                                                                   \
		offsetof(struct dsync_meta_super, field), value, true, sane \
	}
		SHORT(block_sectors, 0, false),
		SHORT(block_sectors, 4, false),
		SHORT(block_sectors, 24, false),
		SHORT(block_sectors, 16, true),
		SHORT(block_sectors, 2048, true),
		SHORT(block_sectors, 4096, false), /* than a region */
		SHORT(region_sectors, 0, false),
		SHORT(region_sectors, 4, false),
		SHORT(region_sectors, 2049, false),
		SHORT(region_sectors, 1U << 31, true),
		SHORT(active_regions, 0, false),
		SHORT(active_regions, 1, true),
		SHORT(active_regions, 65536, true),
		SHORT(active_regions, 65537, false),
		SHORT(active_regions, 0xffffffff, false),
		SHORT(dirty_slot, 0, true),
		SHORT(dirty_slot, 2, false),
		SHORT(dirty_slot, 0xffffffff, false),
		SHORT(state, 0, true),
		SHORT(state, 2, false),
		SHORT(state, 3, true),
		SHORT(state, 4, false),
		SHORT(state, 0xffffffff, false),
		LONG(data_sectors, 0, false),
		LONG(data_sectors, 1, true),
		LONG(data_sectors, 2048 * 0xffffffffULL, true),
		/* the last region would be DSYNC_NO_REGION, or no 32 bits */
		LONG(data_sectors, 2048 * 0xffffffffULL + 1, false),
		LONG(data_sectors, 2048 * 0x100000000ULL + 1, false),
		LONG(data_sectors, 1ULL << 63, false),
		LONG(data_sectors, ~0ULL, false),
#undef SHORT
#undef LONG
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct dsync_super super = some_super();
		__le32 brief = cpu_to_le32(cases[i].value);
		__le64 number = cpu_to_le64(cases[i].value);
		u8 block[BLOCK];

		dsync_super_encode(&super, block);
		if (cases[i].is_long)
			memcpy(block + cases[i].at, &number, sizeof(number));
		else
			memcpy(block + cases[i].at, &brief, sizeof(brief));
		seal_super(block);
		if (dsync_super_decode(&super, block) !=
		    (cases[i].sane ? 0 : -EBADMSG))
			fail_msg("case %zu", i);
	}
}

/*-----------------------------------------------------------------*/

static struct dsync_super pair[2];
static u8 copies[2 * BLOCK];

static void encode_pair(void)
{
	dsync_super_encode(&pair[0], copies);
	dsync_super_encode(&pair[1], copies + BLOCK);
}

static int pick(void)
{
	struct dsync_super super;
	int r = dsync_super_pick(&super, copies);

	if (r >= 0)
		assert_true(same(&super, &pair[r]));
	return r;
}

static void the_sound_superblock_with_the_higher_sequence_counts(void **state)
{
	pair[0] = pair[1] = random_super();
	pair[0].sequence = 7;
	for (pair[1].sequence = 6; pair[1].sequence < 9; pair[1].sequence++) {
		encode_pair();
		assert_int_equal(pick(), pair[1].sequence > 7);
		for (int damaged = 0; damaged < 2; damaged++) {
			copies[damaged * BLOCK + 100]++;
			assert_int_equal(pick(), !damaged);
			copies[damaged * BLOCK + 100]--;
			memset(copies + damaged * BLOCK, 0, BLOCK);
			assert_int_equal(pick(), !damaged);
			encode_pair();
		}
	}
	pair[1].sequence = ~0ULL;
	encode_pair();
	assert_int_equal(pick(), 1);
}

static void without_a_sound_superblock_it_is_said_why(void **state)
{
	memset(copies, 0, sizeof(copies));
	assert_int_equal(pick(), -ENODATA);
	pair[0] = pair[1] = random_super();
	for (int damaged = 0; damaged < 2; damaged++) {
		encode_pair();
		memset(copies + !damaged * BLOCK, 0, BLOCK);
		copies[damaged * BLOCK + 20]++;
		assert_int_equal(pick(), -EBADMSG);
	}
	encode_pair();
	copies[20]++;
	copies[BLOCK + 20]++;
	assert_int_equal(pick(), -EBADMSG);
}

static void superblocks_that_contradict_each_other_do_not_count(void **state)
{
	pair[0] = pair[1] = random_super();
	encode_pair();
	assert_int_equal(pick(), 0);
	pair[1].flags ^= DSYNC_SUPER_CLEAN;
	encode_pair();
	assert_int_equal(pick(), -EBADMSG);
}

static void what_a_later_version_left_behind_does_not_count(void **state)
{
	for (int later = 0; later < 2; later++) {
		u8 *copy = copies + later * BLOCK;

		pair[0] = pair[1] = random_super();
		pair[!later].sequence++;
		encode_pair();
		copy[8] = 2;
		seal_super(copy);
		assert_int_equal(pick(), -EPROTONOSUPPORT);
		copies[!later * BLOCK + 20]++;
		assert_int_equal(pick(), -EPROTONOSUPPORT);
	}
}

/*-----------------------------------------------------------------*/

#define TEST(name) cmocka_unit_test(name)
static const struct CMUnitTest tests[] = {
	TEST(superblocks_are_read_back),
	TEST(every_damaged_byte_of_a_superblock_is_noticed),
	TEST(what_is_no_superblock_is_not_taken_for_one),
	TEST(a_later_version_is_refused_as_such),
	TEST(numbers_beyond_reason_are_refused_under_a_right_sum),
	TEST(the_sound_superblock_with_the_higher_sequence_counts),
	TEST(without_a_sound_superblock_it_is_said_why),
	TEST(superblocks_that_contradict_each_other_do_not_count),
	TEST(what_a_later_version_left_behind_does_not_count),
};

RUN(tests);
