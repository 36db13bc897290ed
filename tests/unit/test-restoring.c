/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A disk that is half restored is known as that, and no other one is. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "dm/restoring.h"
#include "scratch.h"

#include <cmocka.h> /* last: it has a macro fail() */

static void only_the_marked_disk_is_half_restored(void **state)
{
	struct err err = {0};

	assert_int_equal(restoring_check_disk(*state, "vda", &err), 0);
	assert_int_equal(restoring_begin(*state, "vda", "finish this", &err),
			 0);
	assert_int_equal(restoring_check_disk(*state, "vdb", &err), 0);
	assert_int_equal(restoring_check_disk(*state, "vda", &err), -EBUSY);
	assert_non_null(strstr(err.text, "vda is half restored"));
	assert_non_null(strstr(err.text, "'finish this'"));
	err_clear(&err);
	assert_int_equal(restoring_check(*state, &err), -EBUSY);
	err_clear(&err);
	assert_int_equal(restoring_end(*state, "vda", &err), 0);
	assert_int_equal(restoring_check_disk(*state, "vda", &err), 0);
	assert_int_equal(restoring_check(*state, &err), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		scratch_test(only_the_marked_disk_is_half_restored),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
