/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The status line, as the module prints it and as nobody should. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "dm/tracker.h"

#include <cmocka.h> /* last: it has a macro fail() */

#define EPOCH "2f9b0a4e-7d0b-4a55-9f5e-0c6b5a1d8e01"

static void a_line_of_the_contract_is_read(void **state)
{
	struct tracker_status status;
	const char *line = "recovered 8 262144 " EPOCH " 17 3 2 open " EPOCH
			   " hold armed suspends 5 intent_commits 7 "
			   "metadata_writes 9 hold_used 4096 something_new 1 "
			   "uuid " EPOCH;

	assert_int_equal(tracker_status_parse(line, &status, NULL), 0);
	assert_int_equal(status.state, TRACKER_RECOVERED);
	assert_int_equal(status.block_sectors, 8);
	assert_int_equal(status.nr_blocks, 262144);
	assert_string_equal(status.epoch, EPOCH);
	assert_int_equal(status.dirty, 17);
	assert_int_equal(status.frozen, 3);
	assert_int_equal(status.suspect, 2);
	assert_string_equal(status.open, EPOCH);
	assert_string_equal(status.uuid, EPOCH);
	assert_int_equal(status.hold, TRACKER_HOLD_ARMED);
	assert_int_equal(status.suspends, 5);
	assert_int_equal(status.intent_commits, 7);
	assert_int_equal(status.metadata_writes, 9);
	assert_int_equal(status.hold_used, 4096);
}

static void a_fresh_tracker_has_no_epoch(void **state)
{
	struct tracker_status status;

	assert_int_equal(tracker_status_parse("clean 8 1 - 1 0 0 open - hold "
					      "none suspends 0",
					      &status, NULL),
			 0);
	assert_string_equal(status.epoch, "");
	assert_string_equal(status.open, "");
	assert_string_equal(tracker_state_name(status.state), "clean");
}

static void anything_else_is_refused_and_quoted(void **state)
{
	static const char *const bad[] = {
		"",
		"clean",
		"Fail",
		"untracked 8 1 - 1 0 0",
		"happy 8 1 - 1 0 0",
		"clean 0 1 - 1 0 0",
		"clean 8 1 - -1 0 0",
		"clean 8 1 notauuid 1 0 0",
		"clean 8 1 - 1 0 0 open",
		"clean 8 1 - 1 0 0 hold maybe",
		"clean 8 99999999999999999999999 - 1 0 0",
	};

	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		struct tracker_status status = {.nr_blocks = 42};
		struct err err = {0};

		assert_int_equal(tracker_status_parse(bad[i], &status, &err),
				 -EPROTO);
		assert_non_null(strstr(err.text, bad[i]));
		assert_int_equal(status.nr_blocks, 42);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_line_of_the_contract_is_read),
		cmocka_unit_test(a_fresh_tracker_has_no_epoch),
		cmocka_unit_test(anything_else_is_refused_and_quoted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
