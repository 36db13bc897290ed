/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The other half of manifest-parse.c: a field is added to both or to neither,
 * and manifest_commit() parses what it is about to write.
 */
#include "repo/manifest.h"

#include <errno.h>

#include "repo/base64.h"
#include "repo/json.h"

static int write_disk(struct json_object *to, const struct manifest *manifest,
		      const struct manifest_disk *disk)
{
	_cleanup_free_ char *file =
		image_file_name(disk->target, manifest->point);

	json_add_string(to, "target", disk->target);
	json_add_string(to, "file", file);
	json_add_text(to, "backing", disk->backing);
	json_add_uint(to, "size_bytes", disk->size_bytes);
	json_add_uint(to, "block_bytes", disk->block_bytes);
	json_add_text(to, "epoch", disk->epoch);
	json_add_bool(to, "full", disk->full);
	json_add_uint(to, "blocks_changed", disk->blocks_changed);
	json_add_uint(to, "bytes_sent", disk->bytes_sent);
	json_add_uint(to, "zero_bytes", disk->zero_bytes);
	return file ? 0 : -ENOMEM;
}

static int write_domain(struct json_object *to, const struct manifest *manifest)
{
	_cleanup_free_ char *nvram = NULL;

	json_add_string(to, "name", manifest->domain_name);
	json_add_string(to, "uuid", manifest->domain_uuid);
	json_add_string(to, "xml", manifest->domain_xml);
	if (manifest->nvram) {
		nvram = base64_encode(manifest->nvram, manifest->nvram_bytes);
		if (!nvram)
			return -ENOMEM;
	}
	json_add_string(to, "nvram", nvram);
	return 0;
}

static int write_lists(struct json_object *to, const struct manifest *manifest)
{
	struct json_object *disks = json_add_array(to, "disks");
	struct json_object *left_out = json_add_array(to, "left_out");

	for (size_t i = 0; i < manifest->nr_disks; i++)
		if (write_disk(json_object_at(disks, i), manifest,
			       &manifest->disks[i]) < 0)
			return -ENOMEM;
	for (size_t i = 0; i < manifest->nr_left_out; i++) {
		struct json_object *item = json_object_at(left_out, i);

		json_add_string(item, "target", manifest->left_out[i].target);
		json_add_string(item, "reason", manifest->left_out[i].reason);
	}
	return 0;
}

static char *text_over(struct json_object *object,
		       const struct manifest *manifest)
{
	char created[UTC_SIZE];

	utc_format(manifest->created, created);
	json_add_uint(object, "format", MANIFEST_FORMAT);
	json_add_string(object, "repository", manifest->repo_id);
	json_add_string(object, "point", manifest->point);
	json_add_text(object, "parent", manifest->parent);
	json_add_string(object, "created", created);
	json_add_string(object, "consistency",
			consistency_name(manifest->consistency));
	if (manifest->is_pass)
		json_add_bool(object, "pass", true);
	json_add_uint(object, "freeze_ms", manifest->freeze_ms);
	json_add_uint(object, "suspend_ms", manifest->suspend_ms);
	if (write_lists(object, manifest) < 0 ||
	    write_domain(json_add_object(object, "domain"), manifest) < 0)
		return NULL;
	return object ? json_text(object) : NULL;
}

char *manifest_text(const struct manifest *manifest)
{
	_cleanup_json_ struct json_object *object = json_new();

	return text_over(object, manifest);
}

char *manifest_text_over(const char *text, size_t size_bytes,
			 const struct manifest *manifest)
{
	_cleanup_json_ struct json_object *object = NULL;

	if (json_parse(text, size_bytes, &object, NULL) < 0)
		return NULL;
	return text_over(object, manifest);
}
