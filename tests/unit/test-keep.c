/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The rules keep what their names say, and follow one another into the past. */
#include <stdlib.h>

#include "check.h"
#include "base/keep.h"

#define HOUR 3600
#define DAY (24 * HOUR)
/* 2026-01-31 12:00:00 UTC, a Saturday. */
#define NOON ((time_t)1769860800)

/* One point an hour for @hours, the newest at NOON. */
static size_t hourly(size_t hours, time_t *created)
{
	for (size_t i = 0; i < hours; i++)
		created[i] = NOON - (time_t)(hours - 1 - i) * HOUR;
	return hours;
}

static size_t nr_kept(const bool *keep, size_t count)
{
	size_t nr = 0;

	for (size_t i = 0; i < count; i++)
		nr += keep[i];
	return nr;
}

static bool keeps(const time_t *created, const bool *keep, size_t count,
		  time_t when)
{
	for (size_t i = 0; i < count; i++)
		if (created[i] == when)
			return keep[i];
	return false;
}

static void rules_follow_one_another(void **state)
{
	const struct keep rules = {.count = {[KEEP_LAST] = 2,
					     [KEEP_HOURLY] = 3,
					     [KEEP_DAILY] = 2,
					     [KEEP_WEEKLY] = 1,
					     [KEEP_MONTHLY] = 1}};
	static time_t created[24 * 70];
	static bool keep[24 * 70];
	size_t count = hourly(24 * 70, created);

	keep_choose(&rules, created, count, keep);
	assert_int_equal(nr_kept(keep, count), 9);
	/* The last two and the three hours before them. */
	for (int i = 0; i < 5; i++)
		assert_true(keeps(created, keep, count, NOON - i * HOUR));
	/* 23:00 of the 30th and the 29th. */
	assert_true(keeps(created, keep, count, NOON - 13 * HOUR));
	assert_true(keeps(created, keep, count, NOON - 13 * HOUR - DAY));
	/* The week before: Sunday the 25th; the month before: 31 December. */
	assert_true(keeps(created, keep, count, NOON - 13 * HOUR - 5 * DAY));
	assert_true(keeps(created, keep, count, NOON - 13 * HOUR - 30 * DAY));
}

static void a_week_does_not_end_with_the_year(void **state)
{
	/* Monday 29 December 2025 to Sunday 4 January 2026, at noon. */
	const struct keep rules = {.count = {[KEEP_WEEKLY] = 10}};
	time_t created[7];
	bool keep[7] = {0};

	for (int i = 0; i < 7; i++)
		created[i] = NOON - (33 - i) * DAY;
	keep_choose(&rules, created, 7, keep);
	assert_int_equal(nr_kept(keep, 7), 1);
	assert_true(keep[6]);
}

static void few_points_are_all_kept(void **state)
{
	const struct keep rules = keep_default();
	time_t created[6];
	bool keep[6] = {0};

	hourly(6, created);
	keep_choose(&rules, created, 6, keep);
	assert_int_equal(nr_kept(keep, 6), 6);
}

static void the_default_keeps_about_eighty(void **state)
{
	const struct keep rules = keep_default();
	const size_t count = 24 * 366 * 8;
	time_t *created = calloc(count, sizeof(*created));
	bool *keep = calloc(count, sizeof(*keep));

	hourly(count, created);
	keep_choose(&rules, created, count, keep);
	assert_int_equal(nr_kept(keep, count), 80);
	free(created);
	free(keep);
}

static void clocks_that_are_set_lose_nothing_new(void **state)
{
	/* Points of one instant, and one from the future before them. */
	const struct keep rules = {
		.count = {[KEEP_LAST] = 1, [KEEP_DAILY] = 2}};
	const time_t created[] = {NOON, NOON + 400 * DAY, NOON, NOON};
	bool keep[4] = {0};

	keep_choose(&rules, created, 4, keep);
	assert_true(keep[3]);
	assert_true(keep[1]);
	assert_int_equal(nr_kept(keep, 4), 2);
}

static void numbers_are_numbers(void **state)
{
	unsigned int count;

	assert_int_equal(keep_parse("0", &count), 0);
	assert_int_equal(keep_parse("10000", &count), 0);
	assert_int_equal(count, 10000);
	assert_int_not_equal(keep_parse("10001", &count), 0);
	assert_int_not_equal(keep_parse("", &count), 0);
	assert_int_not_equal(keep_parse("-1", &count), 0);
	assert_int_not_equal(keep_parse(" 1", &count), 0);
	assert_int_not_equal(keep_parse("1x", &count), 0);
	assert_int_not_equal(keep_parse("99999999999999999999", &count), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rules_follow_one_another),
		cmocka_unit_test(a_week_does_not_end_with_the_year),
		cmocka_unit_test(few_points_are_all_kept),
		cmocka_unit_test(the_default_keeps_about_eighty),
		cmocka_unit_test(clocks_that_are_set_lose_nothing_new),
		cmocka_unit_test(numbers_are_numbers),
	};

	setenv("TZ", "UTC", 1);
	tzset();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
