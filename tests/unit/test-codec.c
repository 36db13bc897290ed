// SPDX-License-Identifier: GPL-2.0-only
/*
 * kmod's intents and leaves: what was written is read back, and what is damaged
 * or belongs elsewhere is noticed.
 */
#include <linux/errno.h>

#include "codec.h"

#define PAYLOAD DSYNC_META_PAYLOAD_BYTES

/*-----------------------------------------------------------------*/

static u32 regions[DSYNC_BLOCK_INTENTS], read_regions[DSYNC_BLOCK_INTENTS];

static void random_regions(void)
{
	for (size_t i = 0; i < ARRAY_SIZE(regions); i++)
		regions[i] = below(5) ? random_u64() : DSYNC_NO_REGION;
}

static void intents_are_read_back(void **state)
{
	u8 block[BLOCK];

	for (unsigned int nr = 0; nr <= DSYNC_BLOCK_INTENTS; nr++) {
		uuid_t uuid = random_uuid();
		u64 sector = random_u64();

		random_regions();
		dsync_intents_encode(regions, nr, &uuid, sector, block);
		memset(read_regions, 0, sizeof(read_regions));
		assert_int_equal(dsync_intents_decode(read_regions, nr, &uuid,
						      sector, block),
				 0);
		assert_memory_equal(read_regions, regions, nr * sizeof(u32));
		assert_true(all_are(read_regions + nr, 0,
				    sizeof(regions) - nr * sizeof(u32)));

		assert_int_equal(dsync_intents_decode(read_regions,
						      DSYNC_BLOCK_INTENTS,
						      &uuid, sector, block),
				 0);
		assert_true(all_are(read_regions + nr, 0xff,
				    sizeof(regions) - nr * sizeof(u32)));
	}
}

static void every_damaged_byte_of_intents_is_noticed(void **state)
{
	uuid_t uuid = random_uuid();
	u8 block[BLOCK];

	random_regions();
	dsync_intents_encode(regions, DSYNC_BLOCK_INTENTS, &uuid, 40, block);
	for (int at = 0; at < BLOCK; at++) {
		/* all values for a sector, one for the others */
		int values = at / SECTOR == 3 ? 255 : 1;
		int before = at / SECTOR * DSYNC_SECTOR_INTENTS;

		for (int i = 0; i < values; i++) {
			u8 x = values > 1 ? i + 1 : 1 + below(255);

			block[at] ^= x;
			assert_int_equal(dsync_intents_decode(read_regions,
							      before + 1, &uuid,
							      40, block),
					 -EBADMSG);
			block[at] ^= x;
		}
		/* who does not want the sector does not mind */
		block[at]++;
		assert_int_equal(dsync_intents_decode(read_regions, before,
						      &uuid, 40, block),
				 0);
		block[at]--;
	}
}

static void intents_of_another_place_or_tracker_are_damaged(void **state)
{
	uuid_t uuid = random_uuid(), other = random_uuid();
	u8 block[BLOCK], bits[DSYNC_LEAF_BYTES];

	random_regions();
	dsync_intents_encode(regions, DSYNC_BLOCK_INTENTS, &uuid, 16, block);
#define DECODE(uuid, sector) \
	dsync_intents_decode(read_regions, 1, uuid, sector, block)
	assert_int_equal(DECODE(&uuid, 16), 0);
	for (int i = 1; i < 200; i++)
		assert_int_equal(DECODE(&uuid, 16 + i), -EBADMSG);
	assert_int_equal(DECODE(&uuid, 8), -EBADMSG);
	assert_int_equal(DECODE(&other, 16), -EBADMSG);

	/* neither what was a bitmap, nor what was never written */
	random_bytes(bits, sizeof(bits));
	dsync_leaf_encode(bits, 1, &uuid, 16, block);
	assert_int_equal(DECODE(&uuid, 16), -EBADMSG);
	memset(block, 0, BLOCK);
	assert_int_equal(DECODE(&uuid, 16), -EBADMSG);
#undef DECODE
}

/*-----------------------------------------------------------------*/

static u8 bits[DSYNC_LEAF_BYTES], read_bits[DSYNC_LEAF_BYTES];

static void leaves_are_read_back(void **state)
{
	u8 block[BLOCK];

	for (int i = 0; i < 500; i++) {
		uuid_t uuid = random_uuid();
		u64 sector = random_u64();
		u32 generation = random_u64();

		random_bytes(bits, sizeof(bits));
		dsync_leaf_encode(bits, generation, &uuid, sector, block);
		assert_int_equal(dsync_leaf_decode(read_bits, generation, &uuid,
						   sector, block),
				 0);
		assert_memory_equal(read_bits, bits, sizeof(bits));
	}
}

/* Sector @n has all bits or none, the others have what they had. */
static void assert_only(int n, int byte)
{
	assert_true(all_are(read_bits + n * PAYLOAD, byte, PAYLOAD));
	assert_memory_equal(read_bits, bits, n * PAYLOAD);
	assert_memory_equal(read_bits + (n + 1) * PAYLOAD,
			    bits + (n + 1) * PAYLOAD, (7 - n) * PAYLOAD);
}

static void every_damaged_byte_of_a_leaf_marks_its_sector(void **state)
{
	uuid_t uuid = random_uuid();
	u8 block[BLOCK];

	random_bytes(bits, sizeof(bits));
	dsync_leaf_encode(bits, 9, &uuid, 320, block);
	for (int at = 0; at < BLOCK; at++) {
		int values = at / SECTOR == 5 ? 255 : 1;

		for (int i = 0; i < values; i++) {
			u8 x = values > 1 ? i + 1 : 1 + below(255);

			block[at] ^= x;
			assert_int_equal(dsync_leaf_decode(read_bits, 9, &uuid,
							   320, block),
					 1);
			assert_only(at / SECTOR, 0xff);
			block[at] ^= x;
		}
	}
}

static void leaves_of_another_place_or_tracker_have_all_bits(void **state)
{
	uuid_t uuid = random_uuid(), other = random_uuid();
	u8 block[BLOCK];

	memset(bits, 0, sizeof(bits));
	dsync_leaf_encode(bits, 9, &uuid, 320, block);
	for (int i = 1; i < 400; i++) {
		assert_int_equal(dsync_leaf_decode(read_bits, 9, &uuid, 320 + i,
						   block),
				 8);
		assert_true(all_are(read_bits, 0xff, sizeof(bits)));
	}
	/* shifted by one sector, only the last is where it was */
	memmove(block, block + SECTOR, BLOCK - SECTOR);
	assert_int_equal(dsync_leaf_decode(read_bits, 9, &uuid, 320, block), 7);
	assert_true(all_are(read_bits, 0xff, 7 * PAYLOAD));
	assert_true(all_are(read_bits + 7 * PAYLOAD, 0, PAYLOAD));
	assert_int_equal(dsync_leaf_decode(read_bits, 9, &other, 320, block),
			 8);
	memset(block, 0, BLOCK);
	assert_int_equal(dsync_leaf_decode(read_bits, 0, &uuid, 320, block), 8);
	assert_true(all_are(read_bits, 0xff, sizeof(bits)));
}

static void older_leaves_are_empty_and_newer_ones_full(void **state)
{
	static const struct {
		u32 written, wanted;
		u8 byte;
	} cases[] = {
		{4, 5, 0},
		{0, 1, 0},
		{5, 4, 0xff},
		{1, 0, 0xff},
		{0xffffffff, 0, 0},
		{0xffffffff, 3, 0},
		{0, 0xffffffff, 0xff},
		{0, 0x7fffffff, 0},
		{0x7ffffffe, 0, 0xff},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		uuid_t uuid = random_uuid();
		u8 block[BLOCK];

		random_bytes(bits, sizeof(bits));
		dsync_leaf_encode(bits, cases[i].written, &uuid, 320, block);
		assert_int_equal(dsync_leaf_decode(read_bits, cases[i].wanted,
						   &uuid, 320, block),
				 cases[i].byte ? 8 : 0);
		assert_true(all_are(read_bits, cases[i].byte, sizeof(bits)));
	}
}

/* A power cut leaves any mix of what was and what was to be. */
static void a_torn_leaf_loses_nothing_that_both_versions_have(void **state)
{
	for (int round = 0; round < 500; round++) {
		u8 more[DSYNC_LEAF_BYTES], old[BLOCK], new[BLOCK];
		u32 wanted = 1 + below(100), written = wanted - below(2);
		uuid_t uuid = random_uuid();
		unsigned int mix = below(256);

		random_bytes(bits, sizeof(bits));
		random_bytes(more, sizeof(more));
		for (int i = 0; i < DSYNC_LEAF_BYTES; i++)
			more[i] |= bits[i];
		dsync_leaf_encode(bits, written, &uuid, 320, old);
		dsync_leaf_encode(more, wanted, &uuid, 320, new);
		for (int n = 0; n < 8; n++)
			if (mix >> n & 1)
				memcpy(old + n * SECTOR, new + n *SECTOR,
				       SECTOR);
		assert_int_equal(dsync_leaf_decode(read_bits, wanted, &uuid,
						   320, old),
				 0);
		for (int n = 0; n < 8; n++) {
			const u8 *is = read_bits + n * PAYLOAD;

			if (mix >> n & 1)
				assert_memory_equal(is, more + n * PAYLOAD,
						    PAYLOAD);
			else if (written == wanted)
				assert_memory_equal(is, bits + n * PAYLOAD,
						    PAYLOAD);
			else
				assert_true(all_are(is, 0, PAYLOAD));
		}
	}
}

/*-----------------------------------------------------------------*/

#define TEST(name) cmocka_unit_test(name)
static const struct CMUnitTest tests[] = {
	TEST(intents_are_read_back),
	TEST(every_damaged_byte_of_intents_is_noticed),
	TEST(intents_of_another_place_or_tracker_are_damaged),
	TEST(leaves_are_read_back),
	TEST(every_damaged_byte_of_a_leaf_marks_its_sector),
	TEST(leaves_of_another_place_or_tracker_have_all_bits),
	TEST(older_leaves_are_empty_and_newer_ones_full),
	TEST(a_torn_leaf_loses_nothing_that_both_versions_have),
};

RUN(tests);
