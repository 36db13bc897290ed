/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a configuration gives to which disk. */
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
static int look_up(void **state, const char *text, struct config *ret_config,
		   struct err *err)
{
	_cleanup_free_ char *path = io_format("%s/conf", (char *)*state);

	if (text)
		assert_int_equal(io_replace_file(path, text, strlen(text), 0600,
						 NULL),
				 0);
	return config_read(path, "web", UUID, "vda", ret_config, err);
}

static void assert_is(const char *found, const char *expected)
{
	if (expected)
		assert_string_equal(found, expected);
	else
		assert_null(found);
}

static void assert_gives(void **state, const char *text, const char *metadata,
			 const char *hold)
{
	_cleanup_config_ struct config config = {0};

	assert_int_equal(look_up(state, text, &config, NULL), 0);
	assert_is(config.metadata, metadata);
	assert_is(config.hold, hold);
}

static void a_disk_has_the_devices_of_its_lines(void **state)
{
	assert_gives(state, NULL, NULL, NULL);
	assert_gives(state, "", NULL, NULL);
	assert_gives(state, "# nothing\n[metadata]\n[hold]\n", NULL, NULL);
	assert_gives(state, "[metadata]\nweb/vda = /dev/vg/a\n", "/dev/vg/a",
		     NULL);
	assert_gives(state, "[metadata]\n" UUID "/vda=/dev/vg/b\n", "/dev/vg/b",
		     NULL);
	assert_gives(state,
		     "[metadata]\nweb/vdb = /dev/vg/a\nweb2/vda = /dev/vg/b\n"
		     "web/x/vda = /dev/vg/c\n",
		     NULL, NULL);
	assert_gives(state,
		     "[hold]\nlimit = 1G\nweb/vda = /dev/vg/h\n[metadata]\n"
		     "web/vda = /dev/vg/m\n",
		     "/dev/vg/m", "/dev/vg/h");
}

static void a_limit_is_a_size(void **state)
{
	static const struct {
		const char *text;
		uint64_t bytes;
	} good[] = {
		{"[metadata]\n", CONFIG_HOLD_LIMIT_BYTES},
		{"[hold]\nlimit = 4096\n", 4096},
		{"[hold]\nlimit=12K\n", 12 << 10},
		{"[hold]\nlimit = 3M\n", 3 << 20},
		{"[hold]\nlimit = 80G\n", UINT64_C(80) << 30},
		{"[hold]\nlimit = 2T\n", UINT64_C(2) << 40},
	};

	for (size_t i = 0; i < sizeof(good) / sizeof(*good); i++) {
		_cleanup_config_ struct config config = {0};

		assert_int_equal(look_up(state, good[i].text, &config, NULL),
				 0);
		assert_int_equal(config.hold_limit_bytes, good[i].bytes);
	}
}

static void what_is_not_understood_is_an_error(void **state)
{
	static const char *const bad[] = {
		"[metadata]\nweb = /dev/vg/a\n",
		"[metadata]\nweb/ = /dev/vg/a\n",
		"[metadata]\nweb/vdb = vg/a\n",
		"[metadata]\nweb/vda\n",
		"[metadata]\nlimit = 1G\n",
		"[other]\nweb/vda = /dev/vg/a\n",
		"\nweb/vda = /dev/vg/a\n",
		"[hold]\nlimit = 0\n",
		"[hold]\nlimit = 4095\n",
		"[hold]\nlimit = -1\n",
		"[hold]\nlimit = 1GB\n",
		"[hold]\nlimit = G\n",
		"[hold]\nlimit = 10000000T\n",
		"[hold]\nlimit = 99999999999999999999\n",
	};

	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		_cleanup_config_ struct config config = {0};
		struct err err = {0};

		assert_int_equal(look_up(state, bad[i], &config, &err),
				 -EINVAL);
		assert_null(config.metadata);
		assert_non_null(strstr(err.text, "line 2"));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		scratch_test(a_disk_has_the_devices_of_its_lines),
		scratch_test(a_limit_is_a_size),
		scratch_test(what_is_not_understood_is_an_error),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
