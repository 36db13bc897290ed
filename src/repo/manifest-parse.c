/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Field by field, in the order of manifest-write.c.  Every string that
 * becomes part of a path or of a terminal's output is checked for its
 * characters here, once, so that nobody has to think of it later.
 */
#include "repo/manifest.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "repo/base64.h"
#include "repo/json.h"

#define MAX_NAME_LENGTH 1024
#define MIN_BLOCK_BYTES 4096
#define MAX_BLOCK_BYTES (1u << 30)

/* A string that may be printed: no control characters, not too long. */
static int parse_line(const struct json_object *from, const char *key,
		      char **ret_line, struct err *err)
{
	const char *text;
	int r = json_get_string(from, key, &text, err);

	if (r < 0)
		return r;
	if (!*text || strlen(text) > MAX_NAME_LENGTH)
		return fail(err, -EBADMSG, "\"%s\" is empty or too long", key);
	for (const char *p = text; *p; p++)
		if ((unsigned char)*p < ' ' || *p == 0x7f)
			return fail(err, -EBADMSG,
				    "\"%s\" has a control character in it",
				    key);
	*ret_line = strdup(text);
	return *ret_line ? 0 : fail(err, -ENOMEM, "out of memory");
}

/* A uuid, or "" for null if that is @optional. */
static int parse_uuid(const struct json_object *from, const char *key,
		      bool optional, char ret_uuid[UUID_SIZE], struct err *err)
{
	const char *text;
	int r = optional ? json_get_string_or_null(from, key, &text, err)
			 : json_get_string(from, key, &text, err);

	if (r < 0)
		return r;
	if (text && !uuid_valid(text))
		return fail(err, -EBADMSG, "\"%s\" is not a uuid", key);
	snprintf(ret_uuid, UUID_SIZE, "%s", text ? text : "");
	return 0;
}

/* The name of a point other than @self, or "" for null. */
static int parse_other_point(const struct json_object *from, const char *key,
			     const char *self, char ret_point[POINT_SIZE],
			     struct err *err)
{
	const char *text;
	int r = json_get_string_or_null(from, key, &text, err);

	if (r < 0)
		return r;
	if (text && (!point_valid(text) || strcmp(text, self) == 0))
		return fail(err, -EBADMSG, "\"%s\" is not another point", key);
	snprintf(ret_point, POINT_SIZE, "%s", text ? text : "");
	return 0;
}

static int parse_u32(const struct json_object *from, const char *key,
		     uint32_t *ret_value, struct err *err)
{
	uint64_t value = 0;
	int r = json_get_uint(from, key, UINT32_MAX, &value, err);

	*ret_value = value;
	return r;
}

static int parse_geometry(const struct json_object *from,
			  struct manifest_disk *disk, struct err *err)
{
	int r = json_get_uint(from, "size_bytes", MANIFEST_MAX_DISK_BYTES,
			      &disk->size_bytes, err);

	if (r == 0)
		r = parse_u32(from, "block_bytes", &disk->block_bytes, err);
	if (r < 0)
		return r;
	if (disk->size_bytes == 0 || disk->size_bytes % 512)
		return fail(err, -EBADMSG,
			    "\"size_bytes\" is no multiple of 512");
	if (disk->block_bytes < MIN_BLOCK_BYTES ||
	    disk->block_bytes > MAX_BLOCK_BYTES ||
	    disk->block_bytes & (disk->block_bytes - 1))
		return fail(err, -EBADMSG,
			    "\"block_bytes\" is no power of two from 4096");
	return 0;
}

static int parse_counts(const struct json_object *from,
			struct manifest_disk *disk, struct err *err)
{
	uint64_t max = MANIFEST_MAX_DISK_BYTES;
	int r = json_get_bool(from, "full", &disk->full, err);

	if (r == 0)
		r = json_get_uint(from, "blocks_changed", max,
				  &disk->blocks_changed, err);
	if (r == 0)
		r = json_get_uint(from, "bytes_sent", max, &disk->bytes_sent,
				  err);
	if (r == 0)
		r = json_get_uint(from, "zero_bytes", max, &disk->zero_bytes,
				  err);
	return r;
}

/* The file is where every image is, or the manifest is not ours. */
static int check_file(const struct json_object *from, const char *target,
		      const char *point, struct err *err)
{
	_cleanup_free_ char *expected = image_file_name(target, point);
	const char *file;
	int r = json_get_string(from, "file", &file, err);

	if (r < 0)
		return r;
	if (!expected)
		return fail(err, -ENOMEM, "out of memory");
	if (strcmp(file, expected) != 0)
		return fail(err, -EBADMSG, "\"file\" is not %s", expected);
	return 0;
}

static int parse_disk(const struct json_object *from, struct manifest *manifest,
		      struct err *err)
{
	struct manifest_disk *disk;
	const char *target;
	int r = json_get_string(from, "target", &target, err);

	if (r < 0)
		return r;
	if (!disk_target_valid(target))
		return fail(err, -EBADMSG,
			    "\"target\" is not the name of a disk");
	if (manifest_find_disk(manifest, target))
		return fail(err, -EBADMSG, "the disk %s is listed twice",
			    target);
	disk = manifest_add_disk(manifest, target);
	if (!disk)
		return fail(err, -ENOMEM, "out of memory");
	r = check_file(from, target, manifest->point, err);
	if (r == 0)
		r = parse_other_point(from, "backing", manifest->point,
				      disk->backing, err);
	if (r == 0)
		r = parse_geometry(from, disk, err);
	if (r == 0)
		r = parse_uuid(from, "epoch", true, disk->epoch, err);
	if (r == 0)
		r = parse_counts(from, disk, err);
	return r;
}

static int parse_left_out(const struct json_object *from,
			  struct manifest *manifest, struct err *err)
{
	_cleanup_free_ char *target = NULL, *reason = NULL;
	int r = parse_line(from, "target", &target, err);

	if (r == 0)
		r = parse_line(from, "reason", &reason, err);
	if (r == 0 && manifest_add_left_out(manifest, target, reason) < 0)
		r = fail(err, -ENOMEM, "out of memory");
	return r;
}

typedef int (*item_parser)(const struct json_object *from,
			   struct manifest *manifest, struct err *err);

static int parse_list(const struct json_object *from, const char *key,
		      item_parser parse, struct manifest *manifest,
		      struct err *err)
{
	const struct json_object *list, *item;
	size_t count;
	int r = json_get_array(from, key, MANIFEST_MAX_DISKS, &list, &count,
			       err);

	for (size_t i = 0; r == 0 && i < count; i++) {
		r = json_get_item(list, i, &item, err);
		if (r == 0)
			r = parse(item, manifest, err);
		if (r < 0)
			err_prefix(err, "%s[%zu]", key, i);
	}
	return r;
}

static int parse_nvram(const struct json_object *from,
		       struct manifest *manifest, struct err *err)
{
	const char *text;
	int r = json_get_string_or_null(from, "nvram", &text, err);

	if (r < 0 || !text)
		return r;
	r = base64_decode(text, &manifest->nvram, &manifest->nvram_bytes);
	if (r < 0)
		return fail(err, r, "\"nvram\" is not base64");
	return 0;
}

static int parse_domain(const struct json_object *from,
			struct manifest *manifest, struct err *err)
{
	const struct json_object *domain;
	const char *xml;
	int r = json_get_object(from, "domain", &domain, err);

	if (r == 0)
		r = parse_line(domain, "name", &manifest->domain_name, err);
	if (r == 0)
		r = parse_uuid(domain, "uuid", false, manifest->domain_uuid,
			       err);
	if (r == 0)
		r = json_get_string(domain, "xml", &xml, err);
	if (r < 0)
		return r;
	manifest->domain_xml = strdup(xml);
	if (!manifest->domain_xml)
		return fail(err, -ENOMEM, "out of memory");
	return parse_nvram(domain, manifest, err);
}

static int parse_consistency(const struct json_object *from,
			     struct manifest *manifest, struct err *err)
{
	const char *text;
	int r = json_get_string(from, "consistency", &text, err);

	if (r < 0)
		return r;
	for (int i = CONSISTENCY_FROZEN; i <= CONSISTENCY_TORN; i++)
		if (strcmp(text, consistency_name(i)) == 0) {
			manifest->consistency = i;
			return 0;
		}
	return fail(err, -EBADMSG, "\"consistency\" is not known");
}

static int parse_created(const struct json_object *from,
			 struct manifest *manifest, struct err *err)
{
	const char *text;
	int r = json_get_string(from, "created", &text, err);

	if (r < 0)
		return r;
	if (utc_parse(text, &manifest->created) < 0)
		return fail(err, -EBADMSG,
			    "\"created\" is not a time like "
			    "2026-01-31T23:59:59Z");
	return 0;
}

static int parse_point(const struct json_object *from, const char *point,
		       struct manifest *manifest, struct err *err)
{
	const char *text;
	int r = json_get_string(from, "point", &text, err);

	if (r < 0)
		return r;
	if (!point_valid(point) || strcmp(text, point) != 0)
		return fail(err, -EBADMSG, "\"point\" is not %s", point);
	snprintf(manifest->point, POINT_SIZE, "%s", text);
	return parse_other_point(from, "parent", point, manifest->parent, err);
}

static int parse_format(const struct json_object *from, struct err *err)
{
	uint64_t format;
	int r = json_get_uint(from, "format", UINT32_MAX, &format, err);

	if (r < 0)
		return r;
	if (format != MANIFEST_FORMAT)
		return fail(err, -EOPNOTSUPP,
			    "format %" PRIu64 " is not known to this version "
			    "of dsync-vm, which knows %d; use a newer one",
			    format, MANIFEST_FORMAT);
	return 0;
}

static int parse_all(const struct json_object *from, const char *point,
		     struct manifest *manifest, struct err *err)
{
	int r = parse_format(from, err);

	if (r == 0)
		r = parse_uuid(from, "repository", false, manifest->repo_id,
			       err);
	if (r == 0)
		r = parse_point(from, point, manifest, err);
	if (r == 0)
		r = parse_created(from, manifest, err);
	if (r == 0)
		r = parse_consistency(from, manifest, err);
	if (r == 0 && json_has(from, "pass"))
		r = json_get_bool(from, "pass", &manifest->is_pass, err);
	if (r == 0)
		r = parse_u32(from, "freeze_ms", &manifest->freeze_ms, err);
	if (r == 0)
		r = parse_u32(from, "suspend_ms", &manifest->suspend_ms, err);
	if (r == 0)
		r = parse_domain(from, manifest, err);
	if (r == 0)
		r = parse_list(from, "disks", parse_disk, manifest, err);
	if (r == 0)
		r = parse_list(from, "left_out", parse_left_out, manifest, err);
	return r;
}

int manifest_parse(const char *text, size_t size_bytes, const char *point,
		   struct manifest **ret_manifest, struct err *err)
{
	_cleanup_manifest_ struct manifest *manifest = manifest_new();
	_cleanup_json_ struct json_object *object = NULL;
	int r;

	if (!manifest)
		return fail(err, -ENOMEM, "out of memory");
	r = json_parse(text, size_bytes, &object, err);
	if (r == 0)
		r = parse_all(object, point, manifest, err);
	if (r == 0)
		*ret_manifest = TAKE_PTR(manifest);
	return r;
}
