/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which step comes next is read off the files, never remembered: an image that
 * is gone took the place of the one over it, and sums that say that their
 * image is over something else than this one are merged already.
 */
#include "repo/removal.h"

#include <string.h>

#include "base/err.h"
#include "base/io.h"
#include "repo/catalog.h"
#include "repo/damage.h"
#include "repo/domain.h"
#include "repo/image.h"
#include "repo/listing.h"
#include "repo/manifest.h"

static int sync_points(const struct repo_domain *domain, struct err *err)
{
	_cleanup_free_ char *path = io_format("%s/points", domain->path);

	if (!path)
		return fail(err, -ENOMEM, "out of memory");
	return io_sync_dir(path, err);
}

int removal_begin(const struct repo_domain *domain, const char *point,
		  struct err *err)
{
	_cleanup_free_ char *from = manifest_path(domain, point);
	_cleanup_free_ char *to = manifest_removed_path(domain, point);

	if (!from || !to)
		return fail(err, -ENOMEM, "out of memory");
	if (rename(from, to) < 0)
		return fail_errno(err, -errno, "%s", from);
	return sync_points(domain, err);
}

int removal_list(const struct repo_domain *domain, char ***ret_points,
		 size_t *ret_count, struct err *err)
{
	return listing_points(domain, ".json.removed", ret_points, ret_count,
			      err);
}

/* ------------------------------------------------------------- adapting */

/* Bounded by the number of hidden points: their parents may be a circle. */
static void adapt_parent(const struct catalog *catalog, struct manifest *point)
{
	for (size_t i = 0; i < catalog->nr_hidden; i++) {
		const struct manifest *parent =
			catalog_hidden(catalog, point->parent);

		if (!parent)
			return;
		memcpy(point->parent, parent->parent, sizeof(point->parent));
	}
}

/*
 * While a hidden image is there the disk may be over it; once it is not, it
 * took the place of the disk's own, and that is over what it was over.
 */
static void adapt_backing(const struct repo_domain *domain,
			  const struct catalog *catalog,
			  struct manifest_disk *disk)
{
	for (size_t i = 0; i < catalog->nr_hidden; i++) {
		const struct manifest *under =
			catalog_hidden(catalog, disk->backing);
		const struct manifest_disk *its =
			under ? manifest_find_disk(under, disk->target) : NULL;
		_cleanup_free_ char *path =
			its ? image_path(domain, disk->target, under->point)
			    : NULL;

		if (!path || access(path, F_OK) == 0 || errno != ENOENT)
			return;
		memcpy(disk->backing, its->backing, sizeof(disk->backing));
	}
}

void removal_adapt(const struct repo_domain *domain, struct catalog *catalog)
{
	for (size_t i = 0; i < catalog->nr_points + catalog->nr_hidden; i++) {
		bool visible = i < catalog->nr_points;
		struct manifest *point =
			visible ? catalog->points[i]
				: catalog->hidden[i - catalog->nr_points];

		if (visible)
			adapt_parent(catalog, point);
		for (size_t j = 0; j < point->nr_disks; j++)
			adapt_backing(domain, catalog, &point->disks[j]);
	}
}

/* ------------------------------------------------------------- the files */

static int remove_file(const char *path, struct err *err)
{
	if (!path)
		return fail(err, -ENOMEM, "out of memory");
	if (unlink(path) < 0 && errno != ENOENT)
		return fail_errno(err, -errno, "%s", path);
	return 0;
}

static int drop_rest(const struct repo_domain *domain, const char *point,
		     const char *target, struct err *err)
{
	_cleanup_free_ char *sums = sums_path(domain, target, point);
	_cleanup_free_ char *damaged = damage_path(domain, target, point);
	int r = remove_file(sums, err);

	return r < 0 ? r : remove_file(damaged, err);
}

int removal_drop_image(const struct repo_domain *domain, const char *point,
		       const char *target, struct err *err)
{
	_cleanup_free_ char *image = image_path(domain, target, point);
	int r = remove_file(image, err);

	if (r == 0)
		r = drop_rest(domain, point, target, err);
	return r < 0 ? r : image_sync_directory(domain, target, err);
}

int removal_replace_image(const struct repo_domain *domain,
			  const struct manifest *point, const char *target,
			  const struct manifest *child, struct err *err)
{
	_cleanup_free_ char *from = image_path(domain, target, point->point);
	_cleanup_free_ char *to = image_path(domain, target, child->point);
	int r = damage_inherit(domain, target, child->point, point->point, err);

	if (r < 0)
		return r;
	if (!from || !to)
		return fail(err, -ENOMEM, "out of memory");
	if (rename(from, to) < 0)
		return fail_errno(err, -errno, "%s", to);
	r = image_sync_directory(domain, target, err);
	return r < 0 ? r : drop_rest(domain, point->point, target, err);
}

/* ---------------------------------------------------------------- the end */

/* Gives the point @child what it has inherited. */
static int adopt(const struct repo_domain *domain,
		 const struct manifest *removed, const char *child,
		 struct err *err)
{
	_cleanup_manifest_ struct manifest *manifest = NULL;
	int r = manifest_read(domain, child, &manifest, err);

	if (r < 0)
		return r;
	if (strcmp(manifest->parent, removed->point) == 0)
		memcpy(manifest->parent, removed->parent,
		       sizeof(manifest->parent));
	for (size_t i = 0; i < manifest->nr_disks; i++) {
		struct manifest_disk *disk = &manifest->disks[i];
		const struct manifest_disk *under =
			manifest_find_disk(removed, disk->target);

		if (under && strcmp(disk->backing, removed->point) == 0)
			memcpy(disk->backing, under->backing,
			       sizeof(disk->backing));
	}
	return manifest_replace(domain, manifest, err);
}

static bool speaks_of(const struct manifest *manifest, const char *point)
{
	if (strcmp(manifest->parent, point) == 0)
		return true;
	for (size_t i = 0; i < manifest->nr_disks; i++)
		if (strcmp(manifest->disks[i].backing, point) == 0)
			return true;
	return false;
}

/* Whether the manifest of @child, as it is stored, speaks of @point. */
static int refers(const struct repo_domain *domain, const char *child,
		  const char *point, bool *ret_refers, struct err *err)
{
	_cleanup_manifest_ struct manifest *manifest = NULL;
	int r = manifest_read(domain, child, &manifest, err);

	if (r == 0)
		*ret_refers = speaks_of(manifest, point);
	return r;
}

/* What is hidden as well still needs this one to find its way. In doubt it
 * does. */
static bool is_needed(const struct repo_domain *domain,
		      const struct catalog *catalog, const char *point)
{
	for (size_t i = 0; i < catalog->nr_hidden; i++) {
		_cleanup_manifest_ struct manifest *other = NULL;
		const char *name = catalog->hidden[i]->point;

		if (strcmp(name, point) == 0)
			continue;
		if (manifest_read_removed(domain, name, &other, NULL) < 0 ||
		    speaks_of(other, point))
			return true;
	}
	return false;
}

int removal_end(const struct repo_domain *domain, const struct catalog *catalog,
		const struct manifest *point, struct err *err)
{
	_cleanup_free_ char *path = manifest_removed_path(domain, point->point);
	int r = 0;

	for (size_t i = 0; r == 0 && i < catalog->nr_points; i++) {
		const char *child = catalog->points[i]->point;
		bool stored = false;

		r = refers(domain, child, point->point, &stored, err);
		if (r == 0 && stored)
			r = adopt(domain, point, child, err);
	}
	if (r < 0 || is_needed(domain, catalog, point->point))
		return r;
	r = remove_file(path, err);
	return r < 0 ? r : sync_points(domain, err);
}
