/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * JSON as the rest of the program uses it: what a command reports is built
 * with json_add_*(), what a repository holds is read with json_get_*().
 *
 * The getters trust nothing.  A field that is missing, of another type,
 * negative or out of bounds fails with -EBADMSG and one line that names the
 * field; a value is never converted, truncated or clamped into what was
 * asked for.  Fields nobody asks for are ignored.
 *
 * struct json_object is json-c's and opaque here: only src/repo/json.c
 * includes that library.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/cleanup.h"

struct err;
struct json_object;

void json_free(struct json_object *json);
DEFINE_CLEANUP(struct json_object *, json_free);
#define _cleanup_json_ _cleanup_(cleanup_json_free)

/* ------------------------------------------------------------- building */

/* A new empty object, to be freed by json_free(). NULL: out of memory. */
struct json_object *json_new(void);

/*
 * Each adds a field to @object and copies @value. Without memory the field is
 * missing (and @object may be NULL): who must not lose one reads back what he
 * wrote, as manifest_commit() does.
 */
void json_add_string(struct json_object *object, const char *key,
		     const char *value); /* NULL becomes null */
void json_add_text(struct json_object *object, const char *key,
		   const char *value); /* "" becomes null */
void json_add_uint(struct json_object *object, const char *key, uint64_t value);
void json_add_bool(struct json_object *object, const char *key, bool value);
/* For seconds and rates; written with three decimals. */
void json_add_real(struct json_object *object, const char *key, double value);

/* The object or array of that name in @parent, who owns it; an empty one is
 * made if there is none. */
struct json_object *json_add_object(struct json_object *parent,
				    const char *key);
struct json_object *json_add_array(struct json_object *parent, const char *key);
/* An empty object at the end of @array; or entry @index of it, which is that if
 * there is no such object. */
struct json_object *json_append_object(struct json_object *array);
struct json_object *json_object_at(struct json_object *array, size_t index);
/* @object becomes the array's. */
void json_append(struct json_object *array, struct json_object *object);
void json_append_string(struct json_object *array, const char *value);

/*
 * As text, indented, with a final newline. NULL when out of memory; the
 * caller frees it.
 */
char *json_text(struct json_object *json);

/* -------------------------------------------------------------- parsing */

/*
 * Parses the whole of @text, which must be exactly one JSON object in UTF-8.
 * @ret_object is to be freed by json_free().
 */
int json_parse(const char *text, size_t size_bytes,
	       struct json_object **ret_object, struct err *err);

bool json_has(const struct json_object *object, const char *key);

/* The string stays with @object. One with a zero byte inside is refused. */
int json_get_string(const struct json_object *object, const char *key,
		    const char **ret_value, struct err *err);
/* The same, but null or a missing field give NULL. */
int json_get_string_or_null(const struct json_object *object, const char *key,
			    const char **ret_value, struct err *err);
/* An integer of 0 to @max. */
int json_get_uint(const struct json_object *object, const char *key,
		  uint64_t max, uint64_t *ret_value, struct err *err);
int json_get_bool(const struct json_object *object, const char *key,
		  bool *ret_value, struct err *err);
/* An array of at most @max_items; it stays with @object. */
int json_get_array(const struct json_object *object, const char *key,
		   size_t max_items, const struct json_object **ret_array,
		   size_t *ret_items, struct err *err);
int json_get_object(const struct json_object *object, const char *key,
		    const struct json_object **ret_object, struct err *err);
/* Item @index of an array, which must be an object. */
int json_get_item(const struct json_object *array, size_t index,
		  const struct json_object **ret_object, struct err *err);
/* The same for a string, which stays with @array. */
int json_get_string_item(const struct json_object *array, size_t index,
			 const char **ret_value, struct err *err);
