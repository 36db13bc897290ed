/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Names that device-mapper, udev and a person can all live with. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/err.h"
#include "base/name.h"

#include <cmocka.h> /* last: it has a macro fail() */

#define DOMAIN_UUID "2f9b0a4e-7d0b-4a55-9f5e-0c6b5a1d8e01"

static void expect_name(const char *domain, const char *expected)
{
	char name[DISK_NAME_SIZE];

	assert_int_equal(disk_name(name, domain, DOMAIN_UUID, "vda", NULL), 0);
	assert_string_equal(name, expected);
}

static void a_plain_domain_gives_its_name(void **state)
{
	expect_name("web", "dsync-web-vda");
	expect_name("Web_1.a-b", "dsync-Web_1.a-b-vda");
}

static void any_other_domain_gives_its_uuid(void **state)
{
	char longest[DISK_NAME_SIZE];

	expect_name("a b", "dsync-" DOMAIN_UUID "-vda");
	expect_name("../x", "dsync-" DOMAIN_UUID "-vda");
	expect_name("b\303\274ro", "dsync-" DOMAIN_UUID "-vda");
	memset(longest, 'x', sizeof(longest));
	longest[127 - strlen("dsync--vda")] = '\0';
	assert_int_equal(disk_name(longest, strdupa(longest), DOMAIN_UUID,
				   "vda", NULL),
			 0);
	assert_int_equal(strlen(longest), 127);
	memset(longest, 'x', sizeof(longest));
	longest[127 - strlen("dsync--vda") + 1] = '\0';
	expect_name(longest, "dsync-" DOMAIN_UUID "-vda");
}

static void bad_targets_and_uuids_are_refused(void **state)
{
	char name[DISK_NAME_SIZE];

	assert_int_equal(disk_name(name, "web", DOMAIN_UUID, "../a", NULL),
			 -EINVAL);
	assert_int_equal(disk_name(name, "web", DOMAIN_UUID, "", NULL),
			 -EINVAL);
	assert_int_equal(disk_name(name, "web", "x", "vda", NULL), -EINVAL);
}

static void our_devices_are_known_by_their_path(void **state)
{
	assert_string_equal(disk_name_of_path("/dev/mapper/dsync-web-vda"),
			    "dsync-web-vda");
	assert_null(disk_name_of_path("/dev/mapper/vg-web"));
	assert_null(disk_name_of_path("/dev/mapper/dsync-../../sda"));
	assert_null(disk_name_of_path("/dev/dm-0"));
	assert_null(disk_name_of_path(NULL));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_plain_domain_gives_its_name),
		cmocka_unit_test(any_other_domain_gives_its_uuid),
		cmocka_unit_test(bad_targets_and_uuids_are_refused),
		cmocka_unit_test(our_devices_are_known_by_their_path),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
