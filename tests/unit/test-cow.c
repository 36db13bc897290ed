// SPDX-License-Identifier: GPL-2.0-only
/*
 * kmod's index of copies against a plain array.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include <linux/atomic.h>
#include <linux/rcupdate.h>
#include <linux/slab.h>

#include "dm-dsync-cow.h"

#define MAX_BYTES 32 /* of index for each block */

static size_t bytes, most_bytes;
static long allocated;
static bool refuse;
static void *later;
static unsigned int seed;

/* The size is kept in front. */
void *shim_alloc(size_t size, int gfp)
{
	size_t *p = refuse ? NULL : calloc(1, size + 16);

	if (!p)
		return NULL;
	*p = size;
	allocated++;
	bytes += size;
	if (bytes > most_bytes)
		most_bytes = bytes;
	return p + 2;
}

void shim_free(void *p)
{
	size_t *start = p;

	if (!p)
		return;
	allocated--;
	bytes -= start[-2];
	free(start - 2);
}

void shim_free_later(void *p)
{
	assert_null(later);
	later = p;
}

static void grace_period(void)
{
	shim_free(later);
	later = NULL;
}

static int setup(void **state)
{
	bytes = 0;
	most_bytes = 0;
	allocated = 0;
	refuse = false;
	return 0;
}

static int nothing_leaks(void **state)
{
	grace_period();
	assert_int_equal(allocated, 0);
	return 0;
}

static u64 below(u64 n)
{
	return ((u64)rand_r(&seed) << 31 | rand_r(&seed)) % n;
}

/*-----------------------------------------------------------------*/

static void an_empty_store_has_no_copies(void **state)
{
	struct dsync_cow *cow = dsync_cow_create(1000, 10);

	for (u64 i = 0; i < 1000; i++)
		assert_true(dsync_cow_find(cow, i) == DSYNC_NO_PLACE);
	assert_int_equal(cow->nr_places, 10);
	dsync_cow_destroy(cow);
}

static void places_are_given_out_once_until_none_is_left(void **state)
{
	struct dsync_cow *cow = dsync_cow_create(1000, 10);
	u64 place;

	assert_int_equal(dsync_cow_take(cow, 4, &place), 0);
	assert_int_equal(place, 0);
	assert_int_equal(dsync_cow_take(cow, 5, &place), 0);
	assert_int_equal(place, 4);
	assert_int_equal(dsync_cow_take(cow, 2, &place), -ENOSPC);
	assert_int_equal(dsync_cow_take(cow, 1, &place), 0);
	assert_int_equal(place, 9);
	assert_int_equal(dsync_cow_take(cow, 1, &place), -ENOSPC);
	assert_int_equal(cow->nr_taken, 10);
	dsync_cow_destroy(cow);
}

/* The last block and the last place of the largest devices fit a word. */
static void the_largest_numbers_fit(void **state)
{
	static const u64 sizes[] = {
		1, 2, 3, 1ULL << 28, 1ULL << 32, (1ULL << 32) + 1, 1ULL << 40};

	for (size_t i = 0; i < sizeof(sizes) / sizeof(*sizes); i++) {
		struct dsync_cow *cow = dsync_cow_create(sizes[i], ~0ULL);
		u64 last = cow->nr_places - 1;

		dsync_cow_publish(cow, sizes[i] - 1, last);
		assert_true(dsync_cow_find(cow, sizes[i] - 1) == last);
		if (sizes[i] > 1)
			assert_true(dsync_cow_find(cow, 0) == DSYNC_NO_PLACE);
		dsync_cow_destroy(cow);
	}
	/* 16 TiB on 16 TiB */
	struct dsync_cow *cow = dsync_cow_create(1ULL << 32, 1ULL << 40);

	assert_true(cow->nr_places == (1ULL << 32) - 2);
	dsync_cow_destroy(cow);
}

static void without_memory_there_is_no_store(void **state)
{
	struct dsync_cow *cow = dsync_cow_create(1 << 20, 1 << 20);
	u64 place;

	refuse = true;
	assert_null(dsync_cow_create(100, 100));
	assert_int_equal(dsync_cow_take(cow, 500, &place), -ENOMEM);
	assert_int_equal(cow->nr_taken, 0);
	refuse = false;
	assert_int_equal(dsync_cow_take(cow, 500, &place), 0);
	dsync_cow_destroy(cow);
}

#define NR_BLOCKS (1 << 20)

/* Runs of @most blocks at random, or blocks that are @step apart */
static void fill_and_compare(unsigned int most, unsigned int step)
{
	struct dsync_cow *cow = dsync_cow_create(NR_BLOCKS, NR_BLOCKS);
	u64 *places = malloc(NR_BLOCKS * sizeof(*places)), place;
	unsigned int i, at = 0;

	most_bytes = 0;
	memset(places, 0xff, NR_BLOCKS * sizeof(*places));
	while (cow->nr_found < NR_BLOCKS / 16) {
		u64 first = step ? (at += step) % NR_BLOCKS : below(NR_BLOCKS);
		unsigned int count = 1 + below(most);

		for (i = 0; i < count && first + i < NR_BLOCKS; i++)
			if (places[first + i] != DSYNC_NO_PLACE)
				break;
		if (!i)
			continue;
		count = i;
		assert_int_equal(dsync_cow_take(cow, count, &place), 0);
		for (i = 0; i < count; i++) {
			dsync_cow_publish(cow, first + i, place + i);
			places[first + i] = place + i;
		}
		grace_period();
		assert_true(most_bytes <= MAX_BYTES * cow->nr_found + 8192);
	}
	for (i = 0; i < NR_BLOCKS; i++)
		assert_true(dsync_cow_find(cow, i) == places[i]);
	free(places);
	dsync_cow_destroy(cow);
}

static void single_blocks_are_found_and_cost_little(void **state)
{
	fill_and_compare(1, 0);
}

static void runs_are_found_and_cost_little(void **state)
{
	fill_and_compare(128, 0);
}

static void blocks_at_equal_distances_are_found(void **state)
{
	fill_and_compare(1, 9);
	fill_and_compare(1, 13);
}

int main(int argc, char **argv)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, nothing_leaks)
	static const struct CMUnitTest tests[] = {
		TEST(an_empty_store_has_no_copies),
		TEST(places_are_given_out_once_until_none_is_left),
		TEST(the_largest_numbers_fit),
		TEST(without_memory_there_is_no_store),
		TEST(single_blocks_are_found_and_cost_little),
		TEST(runs_are_found_and_cost_little),
		TEST(blocks_at_equal_distances_are_found),
	};

	seed = argc > 1 ? strtoul(argv[1], NULL, 0) : (unsigned int)time(NULL);
	printf("seed %u (give it as the argument to repeat)\n", seed);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
