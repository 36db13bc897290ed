/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a configuration gives to which disk. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

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

static void the_first_rule_replaces_all_default_ones(void **state)
{
	const struct keep standard = keep_default();
	_cleanup_config_ struct config none = {0}, some = {0}, all = {0};

	assert_int_equal(look_up(state, "[hold]\n", &none, NULL), 0);
	assert_memory_equal(&none.keep, &standard, sizeof(standard));
	assert_int_equal(
		look_up(state, "[keep]\ndaily = 30\nlast=2\n", &some, NULL), 0);
	assert_int_equal(some.keep.count[KEEP_DAILY], 30);
	assert_int_equal(some.keep.count[KEEP_LAST], 2);
	assert_int_equal(some.keep.count[KEEP_HOURLY], 0);
	assert_int_equal(look_up(state, "[keep]\nall = yes\n", &all, NULL), 0);
	assert_true(keep_is_nothing(&all.keep));
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

static void a_target_is_known_by_name_and_place(void **state)
{
	const struct config_target *nas;
	_cleanup_config_ struct config config = {0};

	assert_int_equal(look_up(state,
				 "[target usb]\nlocation = /media/usb\n"
				 "warning = 8d\nbwlimit = 20M\n"
				 "[target nas.1]\nlocation = nbd://nas/{disk}\n"
				 "[backup]\ntarget = nas.1\n",
				 &config, NULL),
			 0);
	assert_int_equal(config.nr_targets, 2);
	assert_string_equal(config.target, "nas.1");
	nas = config_target(&config, "nas.1");
	assert_non_null(nas);
	assert_string_equal(nas->location, "nbd://nas/{disk}");
	assert_ptr_equal(config_target_at(&config, nas->location), nas);
	assert_int_equal(config_target(&config, "usb")->warning_s, 8 * 86400);
	assert_int_equal(config_target(&config, "usb")->bwlimit_bytes,
			 20 << 20);
	assert_int_equal(nas->bwlimit_bytes, 0);
	assert_null(config_target(&config, "nas"));
	assert_null(config_target_at(&config, "/media"));
}

static void a_target_behind_a_symlink_is_known(void **state)
{
	_cleanup_free_ char *link = io_format("%s/link", (char *)*state);
	_cleanup_free_ char *text =
		io_format("[target nas]\nlocation = %s\n", link);
	_cleanup_free_ char *place = realpath(*state, NULL);
	_cleanup_config_ struct config config = {0};

	assert_int_equal(symlink(*state, link), 0);
	assert_int_equal(look_up(state, text, &config, NULL), 0);
	assert_non_null(config_target_at(&config, place));
	unlink(link);
}

static void the_first_section_that_matches_is_the_domains(void **state)
{
	_cleanup_config_ struct config config = {0};

	assert_int_equal(look_up(state,
				 "[domain db*]\nfreeze = no\n"
				 "[domain w?b]\nfreeze = require\n"
				 "keep-last = 3\n"
				 "[domain *]\nfreeze = no\ntarget = usb\n"
				 "freeze-timeout = 60\n"
				 "[backup]\nfreeze = yes\ntarget = nas\n"
				 "freeze-timeout = 5\nturn = 1h\n"
				 "[keep]\ndaily = 30\n"
				 "[target nas]\nlocation = /nas\n"
				 "[target usb]\nlocation = /usb\n",
				 &config, NULL),
			 0);
	assert_int_equal(config.freeze, CONFIG_FREEZE_REQUIRE);
	assert_int_equal(config.freeze_timeout_s, 5);
	assert_int_equal(config.turn_s, 3600);
	assert_string_equal(config.target, "nas");
	assert_int_equal(config.keep.count[KEEP_LAST], 3);
	assert_int_equal(config.keep.count[KEEP_DAILY], 0);
}

static void another_domains_section_changes_nothing(void **state)
{
	const struct keep standard = keep_default();
	_cleanup_config_ struct config config = {0};

	assert_int_equal(look_up(state,
				 "[domain db*]\nfreeze = no\n"
				 "freeze-timeout = 60\nkeep-all = yes\n"
				 "target = nas\n"
				 "[target nas]\nlocation = /nas\n",
				 &config, NULL),
			 0);
	assert_int_equal(config.freeze, CONFIG_FREEZE_YES);
	assert_int_equal(config.freeze_timeout_s, CONFIG_FREEZE_TIMEOUT_S);
	assert_int_equal(config.turn_s, CONFIG_TURN_S);
	assert_memory_equal(&config.keep, &standard, sizeof(standard));
	assert_null(config.target);
}

static void an_age_is_a_time(void **state)
{
	static const struct {
		const char *text;
		uint64_t seconds;
	} good[] = {
		{"[check]\n", CONFIG_WARNING_S},
		{"[check]\nwarning = 90\n", 90},
		{"[check]\nwarning = 90s\n", 90},
		{"[check]\nwarning=5m\n", 300},
		{"[check]\nwarning = 3h\n", 3 * 3600},
		{"[check]\nwarning = 3d\n", 3 * 86400},
		{"[check]\nwarning = 2w\n", 14 * 86400},
	};

	for (size_t i = 0; i < sizeof(good) / sizeof(*good); i++) {
		_cleanup_config_ struct config config = {0};

		assert_int_equal(look_up(state, good[i].text, &config, NULL),
				 0);
		assert_int_equal(config.warning_s, good[i].seconds);
		assert_int_equal(config.critical_s, CONFIG_CRITICAL_S);
	}
}

static void an_error_names_what_is_missing(void **state)
{
	static const struct {
		const char *text, *missing;
	} bad[] = {
		{"[backup]\ntarget = nsa\n", "there is no [target nsa]"},
		{"[domain other]\ntarget = nsa\n", "there is no [target nsa]"},
		{"[target nas]\nwarning = 3d\n",
		 "[target nas] has no location"},
		{"[backup]\nfreeze = mayhap\n", "'freeze = mayhap'"},
	};

	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		_cleanup_config_ struct config config = {0};
		struct err err = {0};

		assert_int_equal(look_up(state, bad[i].text, &config, &err),
				 -EINVAL);
		assert_non_null(strstr(err.text, bad[i].missing));
		assert_null(config.target);
		assert_int_equal(config.nr_targets, 0);
	}
}

static void what_is_not_understood_is_an_error(void **state)
{
	static const char *const bad[] = {
		"[keep]\nlast = many\n",
		"[keep]\nall = perhaps\n",
		"[keep]\nminutely = 3\n",
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
		"[backup]\nfreeze = 1\n",
		"[backup]\nfreeze-timeout = 0\n",
		"[backup]\nfreeze-timeout = 601\n",
		"[backup]\nturn = 0\n",
		"[backup]\nlast = 3\n",
		"[backups]\nfreeze = yes\n",
		"[check]\nwarning = 0\n",
		"[check]\nwarning = 3x\n",
		"[check]\nwarning = 3hh\n",
		"[check]\nwarning = 99999999w\n",
		"[check]\nwarn = 3h\n",
		"[target]\nlocation = /a\n",
		"[target nas]\nlocation = a\n",
		"[target nas]\nlocations = /a\n",
		"[target nas]\nbwlimit = 0\n",
		"[target nas]\nbwlimit = 5MB\n",
		"[target a/b]\nlocation = /a\n",
		"[target -a]\nlocation = /a\n",
		"[domain]\nfreeze = yes\n",
		"[domain other]\nfreeze = perhaps\n",
		"[domain other]\nkeep-minutely = 3\n",
		"[domain other]\nlast = 3\n",
		"[domain web]\nkeep-last = x\n",
		"[domain a-name-that-is-longer-than-what-is-read-of-it*]\n"
		"freeze = no\n",
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
		scratch_test(the_first_rule_replaces_all_default_ones),
		scratch_test(a_limit_is_a_size),
		scratch_test(a_target_is_known_by_name_and_place),
		scratch_test(a_target_behind_a_symlink_is_known),
		scratch_test(the_first_section_that_matches_is_the_domains),
		scratch_test(another_domains_section_changes_nothing),
		scratch_test(an_age_is_a_time),
		scratch_test(an_error_names_what_is_missing),
		scratch_test(what_is_not_understood_is_an_error),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
