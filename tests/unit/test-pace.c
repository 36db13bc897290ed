/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Whatever is asked for and whenever: no more goes than the rate allows and one
 * burst, or one request; and who waits as long as he is told gets all of it.
 */
#include <stdlib.h>
#include <time.h>

#include "check.h"
#include "ship/pace.h"

#define US_PER_S 1000000

static unsigned int seed;

static uint64_t below(uint64_t n)
{
	return (((uint64_t)rand_r(&seed) << 31) ^ rand_r(&seed)) % n;
}

/* Of every order of magnitude. */
static uint64_t up_to_bits(unsigned int bits)
{
	return 1 + below(UINT64_C(1) << (1 + below(bits)));
}

static uint64_t larger(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

/* The balance that another bucket, which counts in real numbers, has. */
struct model {
	long double rate, balance;
};

static void model_fill(struct model *model, uint64_t spent_us)
{
	long double full = model->rate * PACE_BURST_MS / 1000;

	model->balance += model->rate * spent_us / US_PER_S;
	if (model->balance > full)
		model->balance = full;
}

/* Asks until it may, as soon as it may, and not before. */
static int64_t send_one(struct pace *pace, struct model *model, int64_t now_us,
			uint32_t bytes)
{
	long double full = model->rate * PACE_BURST_MS / 1000;
	long double needed = bytes < full ? bytes : full;
	uint64_t wait_us = pace_wait_us(pace, now_us, bytes);

	if (wait_us > 1) {
		uint64_t early_us = below(wait_us);

		assert_int_equal(pace_wait_us(pace, now_us + early_us, bytes),
				 wait_us - early_us);
	}
	now_us += wait_us;
	assert_int_equal(pace_wait_us(pace, now_us, bytes), 0);
	pace_take(pace, bytes);
	model_fill(model, wait_us);
	/* Rounding of the model's numbers, which have 64 bits. */
	assert_true(model->balance >= needed - 1e-3L);
	if (wait_us > 0)
		assert_true(model->balance - model->rate / US_PER_S < needed);
	model->balance -= bytes;
	return now_us;
}

static void the_rate_is_kept(void **state)
{
	for (int round = 0; round < 3000; round++) {
		uint64_t rate = up_to_bits(40), max = up_to_bits(24);
		struct pace pace = pace_init(rate);
		int64_t began_us = below(UINT64_C(1) << 50), now_us = began_us;
		struct model model = {rate,
				      (long double)rate * PACE_BURST_MS / 1000};
		long double sent = 0, bound;

		if (rate > UINT64_C(1) << 40)
			continue;
		for (int i = 0; i < 100; i++) {
			uint32_t bytes = 1 + below(max);
			uint64_t idle_us = below(4) ? 0 : up_to_bits(24);

			now_us += idle_us;
			model_fill(&model, idle_us);
			now_us = send_one(&pace, &model, now_us, bytes);
			sent += bytes;
			bound = (long double)rate * (now_us - began_us) /
				US_PER_S;
			assert_true(sent <=
				    bound + larger(rate / 10 + 1, max) + 1);
		}
	}
}

/* Who always has something to send sends at the rate. */
static void the_rate_is_reached(void **state)
{
	for (int round = 0; round < 300; round++) {
		uint64_t rate = 1 + below(UINT64_C(1) << 30);
		struct pace pace = pace_init(rate);
		uint64_t max = 1 + below(larger(pace_burst_bytes(&pace), 2));
		uint64_t sent = 0, least;
		int64_t now_us = 0, spent_us;

		for (int i = 0; i < 1000; i++) {
			uint32_t bytes = 1 + below(max);

			now_us += pace_wait_us(&pace, now_us, bytes);
			pace_take(&pace, bytes);
			sent += bytes;
		}
		/* Less than 1 us is lost with each that waits for all. */
		spent_us = now_us > 1000 ? now_us - 1000 : 0;
		least = (long double)rate * spent_us / US_PER_S;
		assert_true(sent >= least);
	}
}

static void idle_time_is_good_for_one_burst(void **state)
{
	static const uint64_t rates[] = {1, 1024, 1 << 20, UINT64_C(1) << 30,
					 UINT64_C(1) << 40};

	for (size_t i = 0; i < sizeof(rates) / sizeof(*rates); i++) {
		struct pace pace = pace_init(rates[i]);
		uint64_t left = pace_burst_bytes(&pace);

		assert_int_equal(pace_wait_us(&pace, 1, 1), 0);
		pace_take(&pace, UINT32_MAX);
		assert_int_equal(pace_wait_us(&pace, INT64_MAX, 1), 0);
		while (left) {
			uint32_t bytes = left < 1 << 20 ? left : 1 << 20;

			assert_int_equal(pace_wait_us(&pace, INT64_MAX, bytes),
					 0);
			pace_take(&pace, bytes);
			left -= bytes;
		}
		assert_true(pace_wait_us(&pace, INT64_MAX, 1) > 0);
	}
}

static void without_a_rate_all_goes(void **state)
{
	const uint64_t none[] = {0, (UINT64_C(1) << 40) + 1, UINT64_MAX};

	for (size_t i = 0; i < sizeof(none) / sizeof(*none); i++) {
		struct pace pace = pace_init(none[i]);

		assert_true(pace_burst_bytes(&pace) == UINT64_MAX);
		for (int j = 0; j < 100; j++) {
			assert_int_equal(pace_wait_us(&pace, 5, UINT32_MAX), 0);
			pace_take(&pace, UINT32_MAX);
		}
	}
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_rate_is_kept),
		cmocka_unit_test(the_rate_is_reached),
		cmocka_unit_test(idle_time_is_good_for_one_burst),
		cmocka_unit_test(without_a_rate_all_goes),
	};

	seed = argc > 1 ? strtoul(argv[1], NULL, 0) : (unsigned int)time(NULL);
	print_message("seed %u\n", seed);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
