/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The lock comes before the catalog: what that says then stays true. */
#include "job/reading.h"

#include <string.h>

#include "base/err.h"
#include "job/far-uri.h"
#include "job/ui.h"
#include "repo/catalog.h"
#include "repo/domain.h"
#include "repo/image.h"
#include "repo/json.h"
#include "repo/manifest.h"
#include "repo/repo.h"
#include "repo/sums-view.h"
#include "ship/server.h"

/* ----------------------------------------------------------- the points */

static int open_here(struct reading *reading, const char *domain, struct ui *ui,
		     struct err *err)
{
	int r = repo_open(reading->location, &reading->repo, err);

	if (r < 0)
		return r;
	memcpy(reading->id, reading->repo->id, sizeof(reading->id));
	free(reading->location);
	reading->location = strdup(reading->repo->path);
	if (!reading->location)
		return fail(err, -ENOMEM, "out of memory");
	r = repo_domain_open(reading->repo, domain, &reading->domain, err);
	if (r == 0)
		r = repo_domain_begin_reading(reading->domain, err);
	if (r == 0)
		r = catalog_load(reading->domain, &reading->catalog, err);
	for (size_t i = 0; r == 0 && i < reading->catalog->nr_problems; i++)
		ui_warn(ui, "%s", reading->catalog->problems[i]);
	return r;
}

static int open_far(struct reading *reading, const char *domain,
		    ship_cancel cancelled, struct ui *ui, struct err *err)
{
	_cleanup_far_message_ struct far_message reply = {0};
	struct json_object *request;
	const char *id;
	int r = far_open(reading->location, cancelled, ui, &reading->far, err);

	if (r < 0)
		return r;
	request = far_request("read");
	json_add_string(request, "directory", reading->far->uri.dir);
	json_add_string(request, "domain", domain);
	r = far_call(reading->far, request, NULL, 0, 0, &reply, err);
	if (r < 0)
		return r;
	r = json_get_string(reply.json, "id", &id, err);
	if (r == 0 && !uuid_valid(id))
		r = fail(err, -EPROTO, "has no id");
	if (r == 0)
		memcpy(reading->id, id, sizeof(reading->id));
	return far_checked(reading->far, r, err);
}

int reading_open(struct reading *reading, const char *repository,
		 const char *domain, ship_cancel cancelled, struct ui *ui,
		 struct err *err)
{
	*reading = (struct reading){.location = strdup(repository)};
	if (!reading->location)
		return fail(err, -ENOMEM, "out of memory");
	if (far_is_uri(repository))
		return open_far(reading, domain, cancelled, ui, err);
	return open_here(reading, domain, ui, err);
}

void reading_close(struct reading *reading)
{
	far_close(reading->far);
	catalog_free(reading->catalog);
	repo_domain_close(reading->domain);
	repo_close(reading->repo);
	free(reading->location);
	*reading = (struct reading){0};
}

/* ------------------------------------------------------------- a point */

static int find_here(const struct reading *reading, const char *name,
		     struct manifest **ret_manifest, struct err *err)
{
	const struct manifest *point;
	int r = catalog_find(reading->catalog, name, &point, err);

	return r < 0 ? r
		     : manifest_read(reading->domain, point->point,
				     ret_manifest, err);
}

static int find_far(const struct reading *reading, const char *name,
		    struct manifest **ret_manifest, struct err *err)
{
	_cleanup_far_message_ struct far_message reply = {0};
	struct json_object *request = far_request("manifest");
	const char *point;
	int r;

	json_add_string(request, "point", name);
	r = far_call(reading->far, request, NULL, 0, MANIFEST_MAX_BYTES, &reply,
		     err);
	if (r < 0)
		return r;
	r = json_get_string(reply.json, "point", &point, err);
	if (r == 0 && !point_valid(point))
		r = fail(err, -EPROTO, "says what is no point");
	if (r == 0)
		r = manifest_parse((const char *)reply.blob, reply.blob_bytes,
				   point, ret_manifest, err);
	return far_checked(reading->far, r, err);
}

int reading_find(const struct reading *reading, const char *point,
		 struct manifest **ret_manifest, struct err *err)
{
	return reading->far ? find_far(reading, point, ret_manifest, err)
			    : find_here(reading, point, ret_manifest, err);
}

/* -------------------------------------------------------------- a disk */

/* A request about it. */
static struct json_object *about(const char *what, const struct manifest *point,
				 const char *target)
{
	struct json_object *request = far_request(what);

	json_add_string(request, "point", point->point);
	json_add_string(request, "disk", target);
	return request;
}

int reading_check(const struct reading *reading, const struct manifest *point,
		  const char *target, struct err *err)
{
	if (reading->far)
		return far_call(reading->far,
				about("check-image", point, target), NULL, 0, 0,
				NULL, err);
	return image_check_chain(reading->domain, reading->catalog, point,
				 target, err);
}

static int open_image_here(const struct reading *reading,
			   const struct manifest *point, const char *target,
			   uint64_t size_bytes, ship_cancel cancelled,
			   struct reading_image *image, struct err *err)
{
	struct sums_view *view;
	int r = point_image_open(reading, point, target, size_bytes,
				 &image->image, err);

	if (r == 0)
		r = sums_view_open(reading->domain, reading->catalog, point,
				   target, &view, err);
	if (r < 0)
		return r;
	ledger_files_read(view, &image->files);
	image->known = &image->files.ledger;
	return ship_server_open_source(image->image.server, cancelled,
				       &image->source, err);
}

int reading_ask_for_image(const struct reading *reading,
			  const struct manifest *point, const char *target,
			  uint64_t size_bytes, struct far_lines *ret_lines,
			  struct err *err)
{
	_cleanup_far_message_ struct far_message reply = {0};
	struct json_object *request = about("serve-image", point, target);
	struct far *far = reading->far;
	const char *token;
	int r;

	json_add_uint(request, "size_bytes", size_bytes);
	r = far_call(far, request, NULL, 0, 0, &reply, err);
	far_forget_known(far);
	if (r < 0)
		return r;
	r = far_checked(far, json_get_string(reply.json, "token", &token, err),
			err);
	if (r < 0)
		return r;
	*ret_lines = (struct far_lines){.far = far};
	snprintf(ret_lines->token, sizeof(ret_lines->token), "%s", token);
	return 0;
}

static int open_image_far(const struct reading *reading,
			  const struct manifest *point, const char *target,
			  uint64_t size_bytes, struct reading_image *image,
			  struct err *err)
{
	struct far *far = reading->far;
	int r = reading_ask_for_image(reading, point, target, size_bytes,
				      &image->lines, err);

	if (r < 0)
		return r;
	image->far = far;
	far_ledger_init(
		&image->far_known, far,
		sum_count(manifest_find_disk(point, target)->size_bytes));
	image->known = &image->far_known.ledger;
	return far_lines_open_source(&image->lines, size_bytes, &image->source,
				     err);
}

int reading_image_open(const struct reading *reading,
		       const struct manifest *point, const char *target,
		       uint64_t size_bytes, ship_cancel cancelled,
		       struct reading_image *ret_image, struct err *err)
{
	*ret_image = (struct reading_image){0};
	return reading->far
		       ? open_image_far(reading, point, target, size_bytes,
					ret_image, err)
		       : open_image_here(reading, point, target, size_bytes,
					 cancelled, ret_image, err);
}

const char *reading_image_problem(const struct reading_image *image)
{
	return image->files.under ? sums_view_problem(image->files.under)
				  : NULL;
}

void reading_image_close(struct reading_image *image)
{
	if (image->source)
		ship_source_close(TAKE_PTR(image->source));
	far_lines_end(&image->lines);
	far_ledger_clear(&image->far_known);
	if (image->far)
		(void)far_call(TAKE_PTR(image->far), far_request("drop-image"),
			       NULL, 0, 0, NULL, NULL);
	ledger_files_close(&image->files);
	point_image_close(&image->image);
}
