/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A domain that was handed over is known as that, and to where. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/err.h"
#include "base/io.h"
#include "dm/handover.h"
#include "scratch.h"

#include <cmocka.h> /* last: it has a macro fail() */

#define URI "qemu+ssh://there/system"

static void a_domain_is_refused_until_it_is_back(void **state)
{
	struct handover handover = {.uri = (char *)URI, .running = true};
	struct handover read = {0};
	struct err err = {0};

	assert_int_equal(handover_check(*state, &err), 0);
	assert_int_equal(handover_read(*state, &read, &err), 0);
	assert_null(read.uri);
	assert_int_equal(handover_mark(*state, &handover, &err), 0);
	assert_int_equal(handover_check(*state, &err), -EBUSY);
	assert_non_null(strstr(err.text, URI));
	assert_non_null(strstr(err.text, "preseed --abort"));
	err_clear(&err);
	for (int i = 0; i < 4; i++) {
		handover.left = i & 1;
		handover.running = i & 2;
		assert_int_equal(handover_mark(*state, &handover, &err), 0);
		assert_int_equal(handover_read(*state, &read, &err), 0);
		assert_string_equal(read.uri, URI);
		assert_int_equal(read.left, handover.left);
		assert_int_equal(read.running, handover.running);
		handover_clear(&read);
	}
	assert_int_equal(handover_end(*state, &err), 0);
	assert_int_equal(handover_end(*state, &err), 0);
	assert_int_equal(handover_check(*state, &err), 0);
}

static void a_mark_that_is_cut_short_is_one(void **state)
{
	const struct handover handover = {.uri = (char *)URI};
	_cleanup_free_ char *path =
		io_format("%s/handover", (const char *)*state);
	struct handover read = {0};

	assert_int_equal(handover_mark(*state, &handover, NULL), 0);
	assert_int_equal(truncate(path, 5), 0);
	assert_true(handover_read(*state, &read, NULL) < 0);
	assert_true(handover_check(*state, NULL) < 0);
}

static void one_that_arrives_is_not_started(void **state)
{
	_cleanup_free_ char *xml = NULL;
	struct err err = {0};

	assert_false(handover_is_arriving(*state));
	assert_int_equal(handover_arrive(*state, NULL, &err), 0);
	assert_true(handover_is_arriving(*state));
	assert_int_equal(handover_check(*state, &err), -EBUSY);
	assert_non_null(strstr(err.text, "not complete"));
	assert_false(handover_is_whole(*state));
	err_clear(&err);
	assert_int_equal(handover_arrive(*state, "<domain/>", &err), 0);
	assert_true(handover_is_whole(*state));
	assert_int_equal(handover_read_xml(*state, &xml, &err), 0);
	assert_string_equal(xml, "<domain/>");
	assert_int_equal(handover_check(*state, &err), -EBUSY);
	assert_non_null(strstr(err.text, "are whole"));
	err_clear(&err);
	assert_int_equal(handover_arrive(*state, NULL, &err), 0);
	assert_false(handover_is_whole(*state));
	assert_int_equal(handover_arrived(*state, &err), 0);
	assert_int_equal(handover_check(*state, &err), 0);
}

static void what_a_guest_wrote_to_is_not_as_it_was_filled(void **state)
{
	struct err err = {0};

	assert_false(handover_is_filled(*state));
	assert_int_equal(handover_spoil(*state, &err), 0);
	assert_int_equal(handover_fill(*state, &err), 0);
	assert_true(handover_is_filled(*state));
	assert_int_equal(handover_spoil(*state, &err), 0);
	assert_false(handover_is_filled(*state));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		scratch_test(a_domain_is_refused_until_it_is_back),
		scratch_test(a_mark_that_is_cut_short_is_one),
		scratch_test(one_that_arrives_is_not_started),
		scratch_test(what_a_guest_wrote_to_is_not_as_it_was_filled),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
