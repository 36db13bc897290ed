/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What is read is what was meant, or an error: nothing in between. */
#include <string.h>

#include "check.h"
#include "base/err.h"
#include "repo/json.h"

static struct json_object *parsed(const char *text)
{
	struct json_object *object = NULL;

	assert_int_equal(json_parse(text, strlen(text), &object, NULL), 0);
	return object;
}

static int parse_code(const char *text)
{
	_cleanup_json_ struct json_object *object = NULL;
	struct err err = {0};
	int r = json_parse(text, strlen(text), &object, &err);

	assert_int_equal(r, err.code);
	return r;
}

static void test_only_one_whole_object_is_taken(void **state)
{
	assert_int_equal(parse_code("{}"), 0);
	assert_int_equal(parse_code(" {\"a\": 1} \n"), 0);
	assert_int_equal(parse_code(""), -EBADMSG);
	assert_int_equal(parse_code("{\"a\": 1"), -EBADMSG);
	assert_int_equal(parse_code("{} {}"), -EBADMSG);
	assert_int_equal(parse_code("[]"), -EBADMSG);
	assert_int_equal(parse_code("1"), -EBADMSG);
	assert_int_equal(parse_code("null"), -EBADMSG);
	assert_int_equal(parse_code("{\"a\": 1,}"), -EBADMSG);
	assert_int_equal(parse_code("{\"a\": \"\xff\"}"), -EBADMSG);
}

static void test_numbers_are_not_converted_or_clamped(void **state)
{
	_cleanup_json_ struct json_object *object =
		parsed("{\"max\": 9223372036854775807, \"above\": "
		       "18446744073709551614, \"huge\": 99999999999999999999, "
		       "\"minus\": -1, \"less\": -99999999999999999999, "
		       "\"float\": 1.0, \"exponent\": 1e3, \"text\": \"1\", "
		       "\"true\": true, \"null\": null}");
	static const char *const bad[] = {"huge",  "minus",    "less",
					  "float", "exponent", "text",
					  "true",  "null",     "missing"};
	uint64_t value = 7;

	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		assert_int_equal(json_get_uint(object, bad[i], UINT64_MAX,
					       &value, NULL),
				 -EBADMSG);
		assert_int_equal(value, 7);
	}
	assert_int_equal(json_get_uint(object, "max", INT64_MAX, &value, NULL),
			 0);
	assert_true(value == INT64_MAX);
	assert_int_equal(
		json_get_uint(object, "above", UINT64_MAX, &value, NULL), 0);
	assert_true(value == UINT64_MAX - 1);
	assert_int_equal(json_get_uint(object, "max", 1000, &value, NULL),
			 -EBADMSG);
}

static void test_strings_have_no_hidden_end(void **state)
{
	_cleanup_json_ struct json_object *object = parsed(
		"{\"plain\": \"a\", \"cut\": \"a\\u0000b\", \"number\": 1, "
		"\"null\": null}");
	const char *value = NULL;

	assert_int_equal(json_get_string(object, "plain", &value, NULL), 0);
	assert_string_equal(value, "a");
	assert_int_equal(json_get_string(object, "cut", &value, NULL),
			 -EBADMSG);
	assert_int_equal(json_get_string(object, "number", &value, NULL),
			 -EBADMSG);
	assert_int_equal(json_get_string(object, "null", &value, NULL),
			 -EBADMSG);
	assert_int_equal(json_get_string_or_null(object, "null", &value, NULL),
			 0);
	assert_null(value);
	assert_int_equal(json_get_string_or_null(object, "number", &value,
						 NULL),
			 -EBADMSG);
}

static void test_errors_name_the_field(void **state)
{
	_cleanup_json_ struct json_object *object = parsed("{}");
	struct err err = {0};
	bool value;

	json_get_bool(object, "full", &value, &err);
	assert_string_equal(err.text, "\"full\" is missing");
}

static void test_what_is_built_is_read_back(void **state)
{
	_cleanup_json_ struct json_object *object = json_new();
	_cleanup_json_ struct json_object *again = NULL;
	_cleanup_free_ char *text = NULL;
	const struct json_object *list, *item;
	struct json_object *array;
	size_t count;
	uint64_t value;
	const char *string;

	json_add_uint(object, "n", UINT64_C(1) << 63);
	json_add_string(object, "s", "a/\"b\"\n\xc3\xbc");
	json_add_real(object, "r", 1.5);
	array = json_add_array(object, "list");
	json_add_bool(json_append_object(array), "yes", true);
	text = json_text(object);
	again = parsed(text);
	assert_int_equal(json_get_uint(again, "n", UINT64_MAX, &value, NULL),
			 0);
	assert_true(value == UINT64_C(1) << 63);
	assert_int_equal(json_get_string(again, "s", &string, NULL), 0);
	assert_string_equal(string, "a/\"b\"\n\xc3\xbc");
	assert_non_null(strstr(text, "\"r\": 1.500"));
	assert_int_equal(json_get_array(again, "list", 0, &list, &count, NULL),
			 -EBADMSG);
	assert_int_equal(json_get_array(again, "list", 1, &list, &count, NULL),
			 0);
	assert_int_equal(json_get_item(list, 0, &item, NULL), 0);
	assert_true(json_has(item, "yes"));
	assert_int_equal(json_get_item(list, 1, &item, NULL), -EBADMSG);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_only_one_whole_object_is_taken),
		cmocka_unit_test(test_numbers_are_not_converted_or_clamped),
		cmocka_unit_test(test_strings_have_no_hidden_end),
		cmocka_unit_test(test_errors_name_the_field),
		cmocka_unit_test(test_what_is_built_is_read_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
