/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A domain's points, read for a restore elsewhere.  The disk of a point is
 * served by the same door as one that is sent here, and its sums are asked for
 * in the same way.
 */
#include <string.h>

#include "base/bitmap.h"
#include "job/serve-parts.h"
#include "repo/json.h"
#include "repo/manifest.h"
#include "repo/sums-view.h"

int serve_read(struct serve *serve, struct serve_call *call, struct err *err)
{
	_cleanup_free_ char *path = NULL;
	const char *domain;
	int r = json_get_string(call->json, "domain", &domain, err);

	if (r < 0)
		return r;
	if (serve->to || serve->from.repo)
		return fail(err, -EPROTO, "out of turn");
	path = serve_path(serve, call, err);
	if (!path)
		return err->code;
	r = reading_open(&serve->from, path, domain, NULL, &serve->ui, err);
	if (r < 0)
		reading_close(&serve->from);
	else
		json_add_string(call->reply, "id", serve->from.id);
	return r;
}

/* The point that @call names, complete. */
static int take_point(struct serve *serve, const struct serve_call *call,
		      struct manifest **ret_manifest, struct err *err)
{
	const char *name;
	int r = json_get_string(call->json, "point", &name, err);

	if (r == 0 && !serve->from.repo)
		r = fail(err, -EPROTO, "out of turn");
	return r < 0 ? r : reading_find(&serve->from, name, ret_manifest, err);
}

int serve_manifest(struct serve *serve, struct serve_call *call,
		   struct err *err)
{
	_cleanup_manifest_ struct manifest *manifest = NULL;
	_cleanup_free_ char *text = NULL;
	int r = take_point(serve, call, &manifest, err);

	if (r < 0)
		return r;
	text = manifest_text(manifest);
	if (!text)
		return fail(err, -ENOMEM, "out of memory");
	json_add_string(call->reply, "point", manifest->point);
	return far_put_bytes(&call->reply_blob, text, strlen(text), err);
}

int serve_check_image(struct serve *serve, struct serve_call *call,
		      struct err *err)
{
	_cleanup_manifest_ struct manifest *manifest = NULL;
	const char *target;
	int r = json_get_string(call->json, "disk", &target, err);

	if (r == 0)
		r = take_point(serve, call, &manifest, err);
	return r < 0 ? r : reading_check(&serve->from, manifest, target, err);
}

/* All of the disk: what is known of it can be asked for. */
static int open_sums(struct serve *serve, const struct manifest *manifest,
		     const char *target, struct err *err)
{
	struct serve_disk *disk = &serve->disk;
	struct pending *pending = calloc(1, sizeof(*pending));
	struct sums_view *view;
	int r;

	if (!pending)
		return fail(err, -ENOMEM, "out of memory");
	disk->pending = pending;
	pending->disk = strdup(target);
	pending->block_bytes = SUM_BLOCK_BYTES;
	pending->size_bytes = manifest_find_disk(manifest, target)->size_bytes;
	pending->map = bitmap_new(sum_count(pending->size_bytes));
	if (!pending->disk || !pending->map)
		return fail(err, -ENOMEM, "out of memory");
	bitmap_fill(pending->map);
	r = sums_view_open(serve->from.domain, serve->from.catalog, manifest,
			   target, &view, err);
	if (r == 0)
		ledger_files_read(view, &disk->image.known);
	return r;
}

int serve_image(struct serve *serve, struct serve_call *call, struct err *err)
{
	_cleanup_manifest_ struct manifest *manifest = NULL;
	const char *target;
	uint64_t size_bytes = 0;
	int r = json_get_string(call->json, "disk", &target, err);

	if (r == 0)
		r = json_get_uint(call->json, "size_bytes",
				  MANIFEST_MAX_DISK_BYTES, &size_bytes, err);
	if (r == 0)
		r = take_point(serve, call, &manifest, err);
	if (r == 0 && serve->disk.pending)
		r = fail(err, -EPROTO, "out of turn");
	if (r < 0)
		return r;
	r = point_image_open(&serve->from, manifest, target, size_bytes,
			     &serve->source, err);
	if (r == 0)
		r = open_sums(serve, manifest, target, err);
	if (r == 0)
		r = serve_open_door(serve, serve->source.server, call, err);
	if (r < 0)
		serve_drop_disk(serve);
	return r;
}

int serve_drop_image(struct serve *serve, struct serve_call *call,
		     struct err *err)
{
	if (serve->to)
		return fail(err, -EPROTO, "out of turn");
	serve_drop_disk(serve);
	return 0;
}
