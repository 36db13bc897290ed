// SPDX-License-Identifier: GPL-2.0-only
/*
 * kmod's bitmap against a plain array of bytes.
 *
 * The array knows what was marked; the bitmap may know more only where memory
 * was refused, and then not more than whole units.
 */
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include <linux/bitops.h>
#include <linux/slab.h>

#include "dm-dsync-bitmap.h"

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))
#define UNIT (DSYNC_PAGE_BITS / (BITS_PER_LONG / 2))

static long allocated;
static int refuse_one_in; /* of GFP_NOWAIT requests; 0 refuses none */
static __thread unsigned int seed;

void *shim_alloc(size_t size, int gfp)
{
	if (gfp & GFP_NOWAIT && refuse_one_in &&
	    rand_r(&seed) % refuse_one_in == 0)
		return NULL;
	__atomic_fetch_add(&allocated, 1, __ATOMIC_RELAXED);
	return calloc(1, size);
}

void shim_free(void *p)
{
	if (p)
		__atomic_fetch_sub(&allocated, 1, __ATOMIC_RELAXED);
	free(p);
}

static unsigned int below(unsigned int n)
{
	return rand_r(&seed) % n;
}

/* What the bitmap says of a block, by way of its pages. */
static bool has(const struct dsync_bitmap *bm, u64 block)
{
	static unsigned long buf[DSYNC_PAGE_BYTES / sizeof(long)];
	unsigned int bit = block % DSYNC_PAGE_BITS;

	dsync_bitmap_read(bm, block / DSYNC_PAGE_BITS, buf);
	return ((u8 *)buf)[bit / 8] >> bit % 8 & 1;
}

static u64 count(const struct dsync_bitmap *bm)
{
	return dsync_bitmap_count(bm);
}

static int setup(void **state)
{
	refuse_one_in = 0;
	allocated = 0;
	return 0;
}

static int nothing_leaks(void **state)
{
	assert_int_equal(allocated, 0);
	return 0;
}

/*-----------------------------------------------------------------*/

static void a_new_set_is_empty_and_costs_no_pages(void **state)
{
	struct dsync_bitmap *bm = dsync_bitmap_create(10 * DSYNC_PAGE_BITS);

	assert_int_equal(count(bm), 0);
	assert_int_equal(dsync_bitmap_next_page(bm, 0), bm->nr_pages);
	assert_int_equal(allocated, 2);
	dsync_bitmap_destroy(bm);
}

static void a_full_set_ends_at_its_last_block_and_costs_no_pages(void **state)
{
	static const u64 sizes[] = {1,
				    7,
				    8,
				    9,
				    UNIT - 1,
				    UNIT,
				    UNIT + 1,
				    DSYNC_PAGE_BITS - 1,
				    DSYNC_PAGE_BITS,
				    DSYNC_PAGE_BITS + 1,
				    3 * DSYNC_PAGE_BITS + 12345};

	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		struct dsync_bitmap *bm = dsync_bitmap_create(sizes[i]);
		u64 last = bm->nr_pages * DSYNC_PAGE_BITS - 1;

		dsync_bitmap_fill(bm);
		assert_int_equal(count(bm), sizes[i]);
		assert_true(has(bm, sizes[i] - 1));
		if (last >= sizes[i])
			assert_false(has(bm, sizes[i]));
		assert_int_equal(allocated, 2);
		dsync_bitmap_destroy(bm);
	}
}

static void a_size_beyond_reason_is_refused(void **state)
{
	assert_null(dsync_bitmap_create(~0ULL >> 1));
}

static void a_mark_covers_its_range_and_nothing_else(void **state)
{
	static const u64 ranges[][2] = {
		{0, 1},
		{1, 1},
		{63, 2},
		{0, 64},
		{5, 200},
		{DSYNC_PAGE_BITS - 1, 2},
		{100, 2 * DSYNC_PAGE_BITS},
		{0, 3 * DSYNC_PAGE_BITS},
		{UNIT, UNIT},
		{UNIT - 1, UNIT + 2},
		{3 * DSYNC_PAGE_BITS + 50, 51},
		{3 * DSYNC_PAGE_BITS, 101},
	};
	u64 size = 3 * DSYNC_PAGE_BITS + 101;

	for (size_t i = 0; i < ARRAY_SIZE(ranges); i++) {
		struct dsync_bitmap *bm = dsync_bitmap_create(size);
		u64 first = ranges[i][0], end = first + ranges[i][1];

		dsync_bitmap_mark(bm, first, ranges[i][1]);
		assert_int_equal(count(bm), ranges[i][1]);
		assert_true(has(bm, first));
		assert_true(has(bm, end - 1));
		if (first)
			assert_false(has(bm, first - 1));
		if (end < size)
			assert_false(has(bm, end));
		dsync_bitmap_destroy(bm);
	}
}

static void whole_units_need_no_page(void **state)
{
	struct dsync_bitmap *bm = dsync_bitmap_create(4 * DSYNC_PAGE_BITS - 5);

	dsync_bitmap_mark(bm, UNIT, 2 * DSYNC_PAGE_BITS);
	dsync_bitmap_mark(bm, 3 * DSYNC_PAGE_BITS, DSYNC_PAGE_BITS - 5);
	assert_int_equal(allocated, 2);
	assert_int_equal(count(bm), 3 * DSYNC_PAGE_BITS - 5);
	dsync_bitmap_destroy(bm);
}

static void without_memory_a_mark_grows_to_its_unit(void **state)
{
	struct dsync_bitmap *bm = dsync_bitmap_create(DSYNC_PAGE_BITS);

	refuse_one_in = 1;
	dsync_bitmap_mark(bm, 2 * UNIT + 7, 1);
	assert_int_equal(count(bm), UNIT);
	assert_int_equal(atomic_long_read(&bm->coarse), 1);

	/* a second one into the same unit is covered already */
	dsync_bitmap_mark(bm, 2 * UNIT + 9, 3);
	assert_int_equal(atomic_long_read(&bm->coarse), 1);

	/* and memory that comes later does not make the first one less */
	refuse_one_in = 0;
	dsync_bitmap_mark(bm, 5 * UNIT + 7, 1);
	assert_int_equal(count(bm), UNIT + 1);
	assert_true(has(bm, 2 * UNIT));
	assert_false(has(bm, 3 * UNIT));
	dsync_bitmap_destroy(bm);
}

static void an_exact_mark_fails_where_another_would_grow(void **state)
{
	struct dsync_bitmap *bm = dsync_bitmap_create(2 * DSYNC_PAGE_BITS);

	refuse_one_in = 1;
	assert_int_equal(dsync_bitmap_mark_exactly(bm, 7, 1, GFP_NOWAIT),
			 -ENOMEM);
	assert_int_equal(dsync_bitmap_mark_exactly(bm, UNIT, DSYNC_PAGE_BITS,
						   GFP_NOWAIT),
			 0);
	assert_int_equal(count(bm), DSYNC_PAGE_BITS);
	refuse_one_in = 0;
	assert_int_equal(dsync_bitmap_mark_exactly(bm, 7, 1, GFP_NOWAIT), 0);
	assert_int_equal(count(bm), DSYNC_PAGE_BITS + 1);
	assert_true(has(bm, 7));
	dsync_bitmap_destroy(bm);
}

static void the_next_block_is_found(void **state)
{
	u64 size = 4 * DSYNC_PAGE_BITS - 77;

	for (int round = 0; round < 200; round++) {
		struct dsync_bitmap *bm = dsync_bitmap_create(size);
		u64 i, from = below(size), end = from + below(size - from + 1);
		u64 set = end, clear = end;

		for (i = below(8); i; i--) {
			u64 first = below(size);

			dsync_bitmap_mark(bm, first, 1 + below(size - first));
		}
		for (i = below(3); i; i--)
			dsync_bitmap_mark(bm, UNIT * below(100), UNIT);
		for (i = end; i-- > from;)
			*(has(bm, i) ? &set : &clear) = i;
		assert_int_equal(dsync_bitmap_next(bm, from, end), set);
		assert_int_equal(dsync_bitmap_next_zero(bm, from, end), clear);
		dsync_bitmap_destroy(bm);
	}
}

/*-----------------------------------------------------------------*/

struct model {
	struct dsync_bitmap *bm;
	u8 *marked;
	u64 size;
};

static void model_init(struct model *m, u64 size)
{
	m->bm = dsync_bitmap_create(size);
	m->marked = calloc(1, size);
	m->size = size;
}

static void model_exit(struct model *m)
{
	dsync_bitmap_destroy(m->bm);
	free(m->marked);
}

static void model_mark(struct model *m)
{
	static const unsigned int widths[] = {1, 4, 300, UNIT, 100000};
	u64 first = below(m->size);
	u64 n = 1 + below(widths[below(ARRAY_SIZE(widths))]);

	if (below(4) == 0)
		first -= first % UNIT;
	n = min(n, m->size - first);
	dsync_bitmap_mark(m->bm, first, n);
	memset(m->marked + first, 1, n);
}

static void model_compare(struct model *m)
{
	u8 buf[DSYNC_PAGE_BYTES] __attribute__((aligned(8)));
	u64 sum = 0, tail;

	for (u64 i = 0; i < m->size; i++) {
		unsigned int bit = i % DSYNC_PAGE_BITS;
		bool set;

		if (!bit)
			dsync_bitmap_read(m->bm, i / DSYNC_PAGE_BITS,
					  (unsigned long *)buf);
		set = buf[bit / 8] >> bit % 8 & 1;
		sum += set;
		if (!refuse_one_in)
			assert_int_equal(set, m->marked[i]);
		else if (m->marked[i])
			assert_true(set);
		else if (set) /* then a neighbour in the unit is to blame */
			assert_non_null(
				memchr(m->marked + i - i % UNIT, 1,
				       min(UNIT, m->size - i + i % UNIT)));
	}
	assert_int_equal(sum, count(m->bm));
	for (tail = m->size % DSYNC_PAGE_BITS; tail % DSYNC_PAGE_BITS; tail++)
		assert_false(buf[tail / 8] >> tail % 8 & 1);
}

static void model_run(u64 size, int refuse)
{
	struct model a, b;

	refuse_one_in = refuse;
	model_init(&a, size);
	model_init(&b, size);
	for (int round = 0; round < 6; round++) {
		for (int i = below(40); i >= 0; i--)
			model_mark(&a);
		for (int i = below(40); i >= 0; i--)
			model_mark(&b);
		model_compare(&a);
		dsync_bitmap_merge(a.bm, b.bm);
		for (u64 i = 0; i < size; i++)
			a.marked[i] |= b.marked[i];
		memset(b.marked, 0, size);
		model_compare(&a);
		model_compare(&b);
		if (below(3) == 0) {
			dsync_bitmap_clear(a.bm);
			memset(a.marked, 0, size);
		}
	}
	model_exit(&a);
	model_exit(&b);
}

static void random_marks_and_merges_match_a_plain_array(void **state)
{
	for (int i = 0; i < 30; i++)
		model_run(1 + below(5 * DSYNC_PAGE_BITS), 0);
}

static void random_marks_without_memory_lose_nothing(void **state)
{
	for (int i = 0; i < 30; i++)
		model_run(1 + below(5 * DSYNC_PAGE_BITS), 1 + below(3));
}

static void moving_into_a_larger_set_keeps_everything(void **state)
{
	struct model m, larger;
	u64 size = DSYNC_PAGE_BITS + 777;

	for (int round = 0; round < 20; round++) {
		model_init(&m, size);
		model_init(&larger, 4 * DSYNC_PAGE_BITS);
		for (int i = 0; i < 20; i++)
			model_mark(&m);
		dsync_bitmap_fill(larger.bm);
		dsync_bitmap_move(larger.bm, m.bm);
		assert_int_equal(count(m.bm), 0);

		/* of the unit in which the old set ended, the rest may follow */
		memcpy(larger.marked, m.marked, size);
		for (u64 i = size; i < DSYNC_PAGE_BITS + UNIT; i++)
			larger.marked[i] = has(larger.bm, i);
		model_compare(&larger);
		model_exit(&m);
		model_exit(&larger);
	}
}

/*-----------------------------------------------------------------*/

static void put(struct dsync_bitmap *bm, unsigned long page, int byte)
{
	unsigned long *buf = shim_alloc(DSYNC_PAGE_BYTES, 0);

	memset(buf, byte, DSYNC_PAGE_BYTES);
	shim_free(dsync_bitmap_write(bm, page, buf));
}

static void a_written_page_replaces_the_old_and_ends_with_the_set(void **state)
{
	struct dsync_bitmap *bm = dsync_bitmap_create(DSYNC_PAGE_BITS + 13);

	put(bm, 0, 0x55);
	put(bm, 1, 0x55);
	assert_int_equal(count(bm), DSYNC_PAGE_BITS / 2 + 7);
	assert_true(has(bm, DSYNC_PAGE_BITS + 12));
	assert_false(has(bm, DSYNC_PAGE_BITS + 14));
	put(bm, 0, 0xff);
	put(bm, 1, 0xff);
	assert_int_equal(count(bm), DSYNC_PAGE_BITS + 13);
	assert_int_equal(allocated, 2);
	put(bm, 0, 0x01);
	put(bm, 0, 0x00);
	assert_int_equal(count(bm), 13);
	assert_int_equal(dsync_bitmap_next_page(bm, 0), 1);
	dsync_bitmap_destroy(bm);
}

/*-----------------------------------------------------------------*/

#define RACE_BLOCKS (2 * DSYNC_PAGE_BITS)
#define RACE_WRITERS 3

struct racer {
	struct dsync_bitmap *bm;
	unsigned int seed;
	u8 marked[RACE_BLOCKS];
};

static void *race(void *arg)
{
	struct racer *r = arg;

	seed = r->seed;
	for (int i = 0; i < 3000; i++) {
		unsigned int first = below(RACE_BLOCKS - 8);
		unsigned int n = 1 + below(8);

		dsync_bitmap_mark(r->bm, first, n);
		memset(r->marked + first, 1, n);
	}
	return NULL;
}

/* epoch_abort's promise: what was frozen comes back while writes go on. */
static void a_merge_under_concurrent_marks_loses_neither(void **state)
{
	static struct racer racers[RACE_WRITERS];
	struct model frozen;

	for (int round = 0; round < 40; round++) {
		struct dsync_bitmap *bm = dsync_bitmap_create(RACE_BLOCKS);
		pthread_t threads[RACE_WRITERS];

		refuse_one_in = round % 4;
		model_init(&frozen, RACE_BLOCKS);
		for (int i = below(60); i >= 0; i--)
			model_mark(&frozen);
		for (int i = 0; i < RACE_WRITERS; i++) {
			memset(racers[i].marked, 0, RACE_BLOCKS);
			racers[i].bm = bm;
			racers[i].seed = rand_r(&seed);
			pthread_create(&threads[i], NULL, race, &racers[i]);
		}
		dsync_bitmap_merge(bm, frozen.bm);
		for (int i = 0; i < RACE_WRITERS; i++) {
			pthread_join(threads[i], NULL);
			for (unsigned int b = 0; b < RACE_BLOCKS; b++)
				frozen.marked[b] |= racers[i].marked[b];
		}
		assert_int_equal(count(frozen.bm), 0);
		dsync_bitmap_destroy(frozen.bm);
		frozen.bm = bm;
		model_compare(&frozen);
		model_exit(&frozen);
	}
}

int main(int argc, char **argv)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, nothing_leaks)
	static const struct CMUnitTest tests[] = {
		TEST(a_new_set_is_empty_and_costs_no_pages),
		TEST(a_full_set_ends_at_its_last_block_and_costs_no_pages),
		TEST(a_size_beyond_reason_is_refused),
		TEST(a_mark_covers_its_range_and_nothing_else),
		TEST(whole_units_need_no_page),
		TEST(without_memory_a_mark_grows_to_its_unit),
		TEST(an_exact_mark_fails_where_another_would_grow),
		TEST(the_next_block_is_found),
		TEST(random_marks_and_merges_match_a_plain_array),
		TEST(random_marks_without_memory_lose_nothing),
		TEST(moving_into_a_larger_set_keeps_everything),
		TEST(a_written_page_replaces_the_old_and_ends_with_the_set),
		TEST(a_merge_under_concurrent_marks_loses_neither),
	};

	seed = argc > 1 ? strtoul(argv[1], NULL, 0) : (unsigned int)time(NULL);
	printf("seed %u (give it as the argument to repeat)\n", seed);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
