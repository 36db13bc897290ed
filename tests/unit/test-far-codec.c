/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Sets and sums that went over a channel are what they were, and nonsense is
 * an error: it neither goes beyond the disk nor says anything of a block that
 * it was not said of.
 */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/bitmap.h"
#include "base/err.h"
#include "check.h"
#include "job/far-codec.h"

#define NR_BLOCKS 5000

static unsigned int seed;

static uint64_t below(uint64_t n)
{
	return (uint64_t)rand_r(&seed) % n;
}

static void fill(struct bitmap *map)
{
	for (uint64_t at = below(50), n; at < NR_BLOCKS;
	     at += n + below(200) + 1) {
		n = below(100) + 1;
		if (n > NR_BLOCKS - at)
			n = NR_BLOCKS - at;
		bitmap_set(map, at, n);
	}
}

static void sets_are_what_they_were(void **state)
{
	for (int round = 0; round < 100; round++) {
		_cleanup_bitmap_ struct bitmap *map = bitmap_new(NR_BLOCKS);
		_cleanup_bitmap_ struct bitmap *back = bitmap_new(NR_BLOCKS);
		_cleanup_far_bytes_ struct far_bytes bytes = {0};

		if (round)
			fill(map);
		if (round == 1)
			bitmap_fill(map);
		assert_int_equal(far_put_map(&bytes, map, NULL), 0);
		assert_int_equal(
			far_get_map(bytes.data, bytes.used, back, NULL), 0);
		assert_memory_equal(map->bits, back->bits, map->size_bytes);
	}
}

/* Runs of random kinds; data is made of where it is. */
static void make_sums(struct sum *sums)
{
	for (uint64_t at = 0, end; at < NR_BLOCKS; at = end) {
		uint8_t kind = below(SUM_LOST + 1);

		end = at + 1 + below(300);
		if (end > NR_BLOCKS)
			end = NR_BLOCKS;
		for (uint64_t i = at; i < end; i++) {
			sums[i] = (struct sum){.kind = kind};
			if (kind == SUM_DATA)
				memset(sums[i].bytes, (int)below(256),
				       SUM_BYTES);
		}
	}
}

static void take_sums(struct far_sums_in *in, struct sum *const columns[])
{
	uint64_t first;
	int64_t n;

	do {
		struct sum got[FAR_MAX_COLUMNS][64];
		struct sum *const to[] = {got[0], got[1]};

		n = far_get_sums(in, 1 + below(64), &first, to, NULL);
		assert_true(n >= 0);
		for (unsigned int i = 0; i < in->nr_columns; i++)
			memcpy(columns[i] + first, got[i],
			       n * sizeof(struct sum));
	} while (n);
}

static void sums_are_what_they_were(void **state)
{
	static struct sum was[FAR_MAX_COLUMNS][NR_BLOCKS];
	static struct sum is[FAR_MAX_COLUMNS][NR_BLOCKS];
	struct sum *const to[] = {is[0], is[1]};

	for (int round = 0; round < 200; round++) {
		struct far_sums_out out = {.nr_columns = 1 + round % 2};
		struct far_sums_in in = {.nr_columns = out.nr_columns,
					 .nr_blocks = NR_BLOCKS};
		uint64_t count;

		memset(is, 0, sizeof(is));
		memset(was, 0, sizeof(was));
		for (unsigned int i = 0; i < out.nr_columns; i++)
			make_sums(was[i]);
		for (uint64_t at = 0; at < NR_BLOCKS; at += count) {
			const struct sum *const from[] = {was[0] + at,
							  was[1] + at};

			count = 1 + below(700);
			if (count > NR_BLOCKS - at)
				count = NR_BLOCKS - at;
			assert_int_equal(
				far_put_sums(&out, at, count, from, NULL), 0);
		}
		in.data = out.bytes.data;
		in.size_bytes = out.bytes.used;
		take_sums(&in, to);
		assert_memory_equal(is, was, sizeof(is));
		far_bytes_clear(&out.bytes);
	}
}

static void nonsense_is_an_error(void **state)
{
	static const struct {
		uint8_t bytes[16];
		size_t size_bytes;
	} maps[] = {
		{{0x80}, 1},          /* half a number */
		{{0, 0}, 2},          /* a run of nothing */
		{{1}, 1},             /* half a run */
		{{0x88, 0x27, 1}, 3}, /* behind the end: 5000 */
		{{0x87, 0x27, 2}, 3}, /* across it */
		{{0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
		  0x7f},
		 11}, /* 70 bits */
		{{1, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1},
		 11}, /* 1 + 2^64 - 1 */
	};

	for (size_t i = 0; i < sizeof(maps) / sizeof(*maps); i++) {
		_cleanup_bitmap_ struct bitmap *map = bitmap_new(NR_BLOCKS);

		assert_int_equal(far_get_map(maps[i].bytes, maps[i].size_bytes,
					     map, NULL),
				 -EPROTO);
	}
}

static void random_bytes_go_nowhere(void **state)
{
	for (int round = 0; round < 20000; round++) {
		uint8_t bytes[64];
		struct far_sums_in in = {.data = bytes,
					 .size_bytes = below(sizeof(bytes)),
					 .nr_columns = 1 + round % 2,
					 .nr_blocks = NR_BLOCKS};
		struct sum got[FAR_MAX_COLUMNS][32];
		struct sum *const to[] = {got[0], got[1]};
		uint64_t first, behind = 0;
		int64_t n;

		for (size_t i = 0; i < sizeof(bytes); i++)
			bytes[i] = below(below(2) ? 4 : 256);
		while ((n = far_get_sums(&in, 32, &first, to, NULL)) > 0) {
			assert_true(first >= behind && n <= 32);
			assert_true(first + n <= NR_BLOCKS);
			behind = first + n;
		}
		assert_true(n == 0 || n == -EPROTO);
	}
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sets_are_what_they_were),
		cmocka_unit_test(sums_are_what_they_were),
		cmocka_unit_test(nonsense_is_an_error),
		cmocka_unit_test(random_bytes_go_nowhere),
	};

	seed = argc > 1 ? strtoul(argv[1], NULL, 0) : (unsigned int)time(NULL);
	print_message("seed %u\n", seed);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
