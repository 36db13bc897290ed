/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which metadata device a configuration gives to which disk. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/config.h"
#include "base/err.h"
#include "base/io.h"
#include "scratch.h"

#include <cmocka.h> /* last: it has a macro fail() */

#define UUID "2f9b0a4e-7d0b-4a55-9f5e-0c6b5a1d8e01"

/* What @text gives to vda of the domain web. */
static int look_up(void **state, const char *text, char **ret_device,
		   struct err *err)
{
	_cleanup_free_ char *path = io_format("%s/conf", (char *)*state);

	if (text)
		assert_int_equal(io_replace_file(path, text, strlen(text), 0600,
						 NULL),
				 0);
	return config_metadata(path, "web", UUID, "vda", ret_device, err);
}

static void assert_gives(void **state, const char *text, const char *device)
{
	_cleanup_free_ char *found = NULL;

	assert_int_equal(look_up(state, text, &found, NULL), 0);
	if (device)
		assert_string_equal(found, device);
	else
		assert_null(found);
}

static void a_disk_has_the_device_of_its_line(void **state)
{
	assert_gives(state, NULL, NULL);
	assert_gives(state, "", NULL);
	assert_gives(state, "# nothing\n[metadata]\n", NULL);
	assert_gives(state, "[metadata]\nweb/vda = /dev/vg/a\n", "/dev/vg/a");
	assert_gives(state, "[metadata]\n" UUID "/vda=/dev/vg/b\n",
		     "/dev/vg/b");
	assert_gives(state,
		     "[metadata]\nweb/vdb = /dev/vg/a\nweb2/vda = /dev/vg/b\n"
		     "web/x/vda = /dev/vg/c\n",
		     NULL);
}

static void what_is_not_understood_is_an_error(void **state)
{
	static const char *const bad[] = {
		"[metadata]\nweb = /dev/vg/a\n",
		"[metadata]\nweb/ = /dev/vg/a\n",
		"[metadata]\nweb/vdb = vg/a\n",
		"[metadata]\nweb/vda\n",
		"[other]\nweb/vda = /dev/vg/a\n",
		"\nweb/vda = /dev/vg/a\n",
	};

	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		_cleanup_free_ char *found = NULL;
		struct err err = {0};

		assert_int_equal(look_up(state, bad[i], &found, &err), -EINVAL);
		assert_null(found);
		assert_non_null(strstr(err.text, "line 2"));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		scratch_test(a_disk_has_the_device_of_its_line),
		scratch_test(what_is_not_understood_is_an_error),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
