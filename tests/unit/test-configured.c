/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which target's settings a command line means. */
#include "cmd/configured.h"

#include "check.h"

static void a_limit_is_found_by_name_and_else_by_place(void **state)
{
	char day[] = "day", night[] = "night", usb[] = "usb";
	char backup[] = "/backup", media[] = "/media/usb";
	struct config_target targets[] = {
		{.name = day, .location = backup, .bwlimit_bytes = 5},
		{.name = night, .location = backup, .bwlimit_bytes = 50},
		{.name = usb, .location = media},
	};
	const struct config config = {
		.target = night, .targets = targets, .nr_targets = 3};

	assert_int_equal(configured_bwlimit(&config, NULL, "/backup"), 50);
	assert_int_equal(configured_bwlimit(&config, "day", "/backup"), 5);
	assert_int_equal(configured_bwlimit(&config, "night", "/backup"), 50);
	assert_int_equal(configured_bwlimit(&config, "/backup", "/backup"), 5);
	assert_int_equal(configured_bwlimit(&config, "usb", "/media/usb"), 0);
	assert_int_equal(configured_bwlimit(&config, "/else", "/else"), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_limit_is_found_by_name_and_else_by_place),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
