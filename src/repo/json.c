/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * json-c converts on request: json_object_get_int64() of "12abc" is 12, of a
 * huge number the largest one.  So types are compared before a value is
 * taken, and numbers are range-checked in the type they were written in.
 */
#include "repo/json.h"

#include <json-c/json.h>
#include <limits.h>
#include <string.h>

#include "base/err.h"

#define MAX_DEPTH 32

void json_free(struct json_object *json)
{
	json_object_put(json);
}

/* ------------------------------------------------------------- building */

struct json_object *json_new(void)
{
	return json_object_new_object();
}

static struct json_object *add(struct json_object *object, const char *key,
			       struct json_object *value)
{
	if (object && json_object_object_add(object, key, value) == 0)
		return value;
	json_object_put(value);
	return NULL;
}

static struct json_object *append(struct json_object *array,
				  struct json_object *value)
{
	if (array && value && json_object_array_add(array, value) == 0)
		return value;
	json_object_put(value);
	return NULL;
}

void json_add_string(struct json_object *object, const char *key,
		     const char *value)
{
	add(object, key, value ? json_object_new_string(value) : NULL);
}

void json_add_text(struct json_object *object, const char *key,
		   const char *value)
{
	json_add_string(object, key, *value ? value : NULL);
}

void json_add_uint(struct json_object *object, const char *key, uint64_t value)
{
	add(object, key, json_object_new_uint64(value));
}

void json_add_bool(struct json_object *object, const char *key, bool value)
{
	add(object, key, json_object_new_boolean(value));
}

void json_add_real(struct json_object *object, const char *key, double value)
{
	char text[64];

	snprintf(text, sizeof(text), "%.3f", value);
	add(object, key, json_object_new_double_s(value, text));
}

static struct json_object *find_or_add(struct json_object *parent,
				       const char *key, json_type type,
				       struct json_object *empty)
{
	struct json_object *there = NULL;

	if (!json_object_object_get_ex(parent, key, &there) ||
	    !json_object_is_type(there, type))
		return add(parent, key, empty);
	json_object_put(empty);
	return there;
}

struct json_object *json_add_object(struct json_object *parent, const char *key)
{
	return find_or_add(parent, key, json_type_object,
			   json_object_new_object());
}

struct json_object *json_add_array(struct json_object *parent, const char *key)
{
	return find_or_add(parent, key, json_type_array,
			   json_object_new_array());
}

struct json_object *json_append_object(struct json_object *array)
{
	return append(array, json_object_new_object());
}

struct json_object *json_object_at(struct json_object *array, size_t index)
{
	struct json_object *there =
		array ? json_object_array_get_idx(array, index) : NULL;

	return json_object_is_type(there, json_type_object)
		       ? there
		       : json_append_object(array);
}

void json_append(struct json_object *array, struct json_object *object)
{
	append(array, object);
}

void json_append_string(struct json_object *array, const char *value)
{
	append(array, json_object_new_string(value));
}

char *json_text(struct json_object *json)
{
	const char *text = json_object_to_json_string_ext(
		json, JSON_C_TO_STRING_PRETTY | JSON_C_TO_STRING_SPACED |
			      JSON_C_TO_STRING_NOSLASHESCAPE);
	char *copy;

	if (!text || asprintf(&copy, "%s\n", text) < 0)
		return NULL;
	return copy;
}

/* -------------------------------------------------------------- parsing */

static int parse_failure(struct json_tokener *tokener, struct err *err)
{
	enum json_tokener_error why = json_tokener_get_error(tokener);

	if (why == json_tokener_continue)
		return fail(err, -EBADMSG, "truncated JSON");
	if (why == json_tokener_success)
		return fail(err, -EBADMSG, "not one JSON object");
	return fail(err, -EBADMSG, "not JSON: %s at byte %zu",
		    json_tokener_error_desc(why),
		    json_tokener_get_parse_end(tokener));
}

int json_parse(const char *text, size_t size_bytes,
	       struct json_object **ret_object, struct err *err)
{
	struct json_tokener *tokener = json_tokener_new_ex(MAX_DEPTH);
	_cleanup_json_ struct json_object *object = NULL;
	int r = 0;

	if (!tokener)
		return fail(err, -ENOMEM, "out of memory");
	if (size_bytes > INT_MAX)
		size_bytes = INT_MAX;
	json_tokener_set_flags(tokener, JSON_TOKENER_STRICT |
						JSON_TOKENER_VALIDATE_UTF8);
	object = json_tokener_parse_ex(tokener, text, (int)size_bytes);
	if (!object || !json_object_is_type(object, json_type_object) ||
	    json_tokener_get_parse_end(tokener) < size_bytes)
		r = parse_failure(tokener, err);
	json_tokener_free(tokener);
	if (r == 0)
		*ret_object = TAKE_PTR(object);
	return r;
}

/* NULL for a missing field and for null. */
static struct json_object *field(const struct json_object *object,
				 const char *key)
{
	struct json_object *value = NULL;

	json_object_object_get_ex(object, key, &value);
	return value;
}

bool json_has(const struct json_object *object, const char *key)
{
	return json_object_object_get_ex(object, key, NULL);
}

/* The field, if it is there and of @type. */
static int typed_field(const struct json_object *object, const char *key,
		       json_type type, struct json_object **ret_value,
		       struct err *err)
{
	struct json_object *value = field(object, key);

	if (!value)
		return fail(err, -EBADMSG, "\"%s\" is missing", key);
	if (!json_object_is_type(value, type))
		return fail(err, -EBADMSG, "\"%s\" is not of type %s", key,
			    json_type_to_name(type));
	*ret_value = value;
	return 0;
}

/* What @key names is the string @value. */
static int take_string(struct json_object *value, const char *key,
		       const char **ret_value, struct err *err)
{
	const char *text = json_object_get_string(value);

	if (strlen(text) != (size_t)json_object_get_string_len(value))
		return fail(err, -EBADMSG, "\"%s\" has a zero byte in it", key);
	*ret_value = text;
	return 0;
}

int json_get_string(const struct json_object *object, const char *key,
		    const char **ret_value, struct err *err)
{
	struct json_object *value;
	int r = typed_field(object, key, json_type_string, &value, err);

	return r < 0 ? r : take_string(value, key, ret_value, err);
}

int json_get_string_or_null(const struct json_object *object, const char *key,
			    const char **ret_value, struct err *err)
{
	if (field(object, key))
		return json_get_string(object, key, ret_value, err);
	*ret_value = NULL;
	return 0;
}

int json_get_uint(const struct json_object *object, const char *key,
		  uint64_t max, uint64_t *ret_value, struct err *err)
{
	struct json_object *value;
	uint64_t number;
	int r = typed_field(object, key, json_type_int, &value, err);

	if (r < 0)
		return r;
	/* Negative: both getters clamp, to different ends. */
	if (json_object_get_int64(value) < 0)
		return fail(err, -EBADMSG, "\"%s\" is negative", key);
	number = json_object_get_uint64(value);
	if (number > max || number == UINT64_MAX)
		return fail(err, -EBADMSG, "\"%s\" is too large", key);
	*ret_value = number;
	return 0;
}

int json_get_bool(const struct json_object *object, const char *key,
		  bool *ret_value, struct err *err)
{
	struct json_object *value;
	int r = typed_field(object, key, json_type_boolean, &value, err);

	if (r < 0)
		return r;
	*ret_value = json_object_get_boolean(value);
	return 0;
}

int json_get_array(const struct json_object *object, const char *key,
		   size_t max_items, const struct json_object **ret_array,
		   size_t *ret_items, struct err *err)
{
	struct json_object *value;
	int r = typed_field(object, key, json_type_array, &value, err);

	if (r < 0)
		return r;
	if (json_object_array_length(value) > max_items)
		return fail(err, -EBADMSG, "\"%s\" has too many entries", key);
	*ret_array = value;
	*ret_items = json_object_array_length(value);
	return 0;
}

int json_get_object(const struct json_object *object, const char *key,
		    const struct json_object **ret_object, struct err *err)
{
	struct json_object *value = NULL;
	int r = typed_field(object, key, json_type_object, &value, err);

	if (r < 0)
		return r;
	*ret_object = value;
	return 0;
}

int json_get_item(const struct json_object *array, size_t index,
		  const struct json_object **ret_object, struct err *err)
{
	struct json_object *value = json_object_array_get_idx(array, index);

	if (!value || !json_object_is_type(value, json_type_object))
		return fail(err, -EBADMSG, "entry %zu is not an object", index);
	*ret_object = value;
	return 0;
}

int json_get_string_item(const struct json_object *array, size_t index,
			 const char **ret_value, struct err *err)
{
	struct json_object *value = json_object_array_get_idx(array, index);

	if (!value || !json_object_is_type(value, json_type_string))
		return fail(err, -EBADMSG, "entry %zu is not a string", index);
	return take_string(value, "entry", ret_value, err);
}
