/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Of the other side's words a terminal gets characters, and the few sequences
 * that draw a line anew: never another order, however it is written. */
#include <string.h>

#include "check.h"
#include "job/far-message.h"

static void characters_pass(void **state)
{
	static const char *const passing[] = {
		"a", " ", "~", "\n", "\t", "ü", "\u00a0", "€", "\U0001f600",
	};

	for (size_t i = 0; i < sizeof(passing) / sizeof(*passing); i++)
		assert_int_equal(far_sequence_length(passing[i],
						     strlen(passing[i])),
				 strlen(passing[i]));
	assert_int_equal(far_sequence_length("\033[K", 3), 3);
	assert_int_equal(far_sequence_length("\033[1;31mx", 8), 7);
}

static void orders_do_not(void **state)
{
	static const char *const orders[] = {
		"\033]0;x",
		"\033[2J",
		"\033[",
		"\033",
		"\a",
		"\177",
		"\xc2\x9b"
		"2J",           /* U+009B is "\033[" as well */
		"\x9b",         /* as is this, where it is no UTF-8 */
		"\xc2",         /* with what comes next it may become so */
		"\xc1\x9b",     /* too long a way to write something */
		"\xe0\x82\x9b", /* likewise */
		"\xf8\x88\x80\x80\x80", /* no UTF-8 */
	};

	for (size_t i = 0; i < sizeof(orders) / sizeof(*orders); i++)
		assert_int_equal(
			far_sequence_length(orders[i], strlen(orders[i])), 0);
	assert_int_equal(far_sequence_length("", 1), 0);
	assert_int_equal(far_sequence_length("€", 2), 0);
}

static void a_plain_line_has_none(void **state)
{
	char text[] = "b\xc3\xa4 \033[Kc\nd\xc2\x9b"
		      "e\x9b\xe2\x82";

	far_plain_text(text);
	assert_string_equal(text, "b\xc3\xa4 ?[Kc?d??e???");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(characters_pass),
		cmocka_unit_test(orders_do_not),
		cmocka_unit_test(a_plain_line_has_none),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
