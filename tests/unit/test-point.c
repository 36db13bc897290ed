/* SPDX-License-Identifier: GPL-2.0-or-later */
/* No name becomes part of a path that could lead elsewhere. */
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/err.h"
#include "check.h"
#include "repo/point.h"

static void test_points_are_stamps_with_an_optional_number(void **state)
{
	static const char *const good[] = {"20260131T235959Z",
					   "20260131T235959Z-2",
					   "20260131T235959Z-123456789"};
	static const char *const wrong[] = {"",
					    "latest",
					    "20260131T235959",
					    "20260131T235959Zx",
					    "20260131T235959Z-",
					    "20260131T235959Z-0",
					    "20260131T235959Z-02",
					    "20260131T235959Z-1234567890",
					    "20260131T235959Z-2/../..",
					    "2026013/T235959Z",
					    "../../../etc/pass"};

	for (size_t i = 0; i < sizeof(good) / sizeof(*good); i++)
		assert_true(point_valid(good[i]));
	for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++)
		assert_false(point_valid(wrong[i]));
}

static void test_disks_are_short_words(void **state)
{
	char longest[65];

	memset(longest, 'a', sizeof(longest));
	longest[63] = '\0';
	assert_true(disk_target_valid(longest));
	longest[63] = 'a';
	longest[64] = '\0';
	assert_false(disk_target_valid(longest));
	assert_true(disk_target_valid("vda"));
	assert_false(disk_target_valid(""));
	assert_false(disk_target_valid("."));
	assert_false(disk_target_valid(".."));
	assert_false(disk_target_valid("a/b"));
	assert_false(disk_target_valid("vd a"));
}

static void test_domain_names_come_back_from_their_directory(void **state)
{
	static const struct {
		const char *name, *encoded;
	} pairs[] = {
		{"web01", "web01"},     {"a.b_c-d~e", "a.b_c-d~e"},
		{".hidden", ".hidden"}, {"web 1/2", "web%201%2F2"},
		{"100%", "100%25"},     {"\xc3\xbc", "%C3%BC"},
		{"../x", "..%2Fx"},
	};

	for (size_t i = 0; i < sizeof(pairs) / sizeof(*pairs); i++) {
		_cleanup_free_ char *encoded =
			domain_name_encode(pairs[i].name, NULL);
		_cleanup_free_ char *name =
			domain_name_decode(pairs[i].encoded);

		assert_string_equal(encoded, pairs[i].encoded);
		assert_string_equal(name, pairs[i].name);
	}
}

static void test_names_that_mean_something_else_are_refused(void **state)
{
	static const char *const names[] = {"", ".", "..", ".lock",
					    "dsync-repo.json"};
	char longest[87];

	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
		struct err err = {0};

		assert_null(domain_name_encode(names[i], &err));
		assert_int_equal(err.code, -EINVAL);
	}
	memset(longest, '/', sizeof(longest)); /* three bytes each */
	longest[86] = '\0';
	assert_null(domain_name_encode(longest, NULL));
}

static void test_only_our_own_encoding_is_decoded(void **state)
{
	static const char *const wrong[] = {"web%2f", "web%", "web%4", "w%41b",
					    "w b",    "%00",  "..",    "w%GG"};

	for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++)
		assert_null(domain_name_decode(wrong[i]));
}

static void test_times_are_utc_and_exist(void **state)
{
	char text[UTC_SIZE], point[POINT_SIZE];
	time_t when;

	setenv("TZ", "Asia/Kathmandu", 1);
	assert_int_equal(utc_parse("2026-01-31T23:59:59Z", &when), 0);
	utc_format(when, text);
	assert_string_equal(text, "2026-01-31T23:59:59Z");
	point_stamp(when, point);
	assert_string_equal(point, "20260131T235959Z");
	assert_int_equal(utc_parse("2026-02-29T00:00:00Z", &when), -EBADMSG);
	assert_int_equal(utc_parse("2026-01-31 23:59:59Z", &when), -EBADMSG);
	assert_int_equal(utc_parse("2026-01-31T23:59:59", &when), -EBADMSG);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
			test_points_are_stamps_with_an_optional_number),
		cmocka_unit_test(test_disks_are_short_words),
		cmocka_unit_test(
			test_domain_names_come_back_from_their_directory),
		cmocka_unit_test(
			test_names_that_mean_something_else_are_refused),
		cmocka_unit_test(test_only_our_own_encoding_is_decoded),
		cmocka_unit_test(test_times_are_utc_and_exist),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
