/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What no manifest speaks of was never committed.  Most of it goes; an image
 * that the next run can go on with stays, as a partial one.
 */
#include "repo/leftovers.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "base/err.h"
#include "base/io.h"
#include "repo/catalog.h"
#include "repo/domain.h"
#include "repo/image.h"
#include "repo/listing.h"
#include "repo/manifest.h"
#include "repo/partial.h"

static int discard(const char *directory, const char *name, const char *suffix,
		   unsigned int *removed, struct err *err)
{
	_cleanup_free_ char *path =
		io_format("%s/%s%s", directory, name, suffix);

	if (!path)
		return fail(err, -ENOMEM, "out of memory");
	if (unlink(path) < 0)
		return fail_errno(err, -errno, "%s", path);
	++*removed;
	return 0;
}

/* Removes everything in @directory that ends in @suffix. */
static int discard_all(const char *directory, const char *suffix,
		       unsigned int *removed, struct err *err)
{
	_cleanup_strings_ char **names = NULL;
	size_t count;
	int r = listing_read(directory, suffix, &names, &count, err);

	for (size_t i = 0; r == 0 && i < count; i++)
		r = discard(directory, names[i], suffix, removed, err);
	return r;
}

/* A point on its way out has one too. */
static bool has_manifest(const struct catalog *catalog, const char *target,
			 const char *point)
{
	for (size_t i = 0; i < catalog->nr_points; i++)
		if (strcmp(catalog->points[i]->point, point) == 0)
			return manifest_find_disk(catalog->points[i], target);
	for (size_t i = 0; i < catalog->nr_hidden; i++)
		if (strcmp(catalog->hidden[i]->point, point) == 0)
			return true;
	return false;
}

/* True if another image is read through @point's, or if that cannot be known.
 * Asked of the files: their manifests may be on their way. */
static bool is_backing(const struct repo_domain *domain, const char *target,
		       const char *point)
{
	char over[POINT_SIZE];
	unsigned int count;

	return image_find_over(domain, target, point, &count, over, NULL) < 0 ||
	       count > 0;
}

/* What is about an image goes after it, so without one it is nobody's. */
static int discard_about(const char *directory, const struct catalog *catalog,
			 const char *target, const char *suffix,
			 unsigned int *removed, struct err *err)
{
	_cleanup_strings_ char **points = NULL;
	size_t count;
	int r = listing_read(directory, suffix, &points, &count, err);

	for (size_t i = 0; r == 0 && i < count; i++) {
		_cleanup_free_ char *image =
			io_format("%s/%s.qcow2", directory, points[i]);

		if (!image)
			return fail(err, -ENOMEM, "out of memory");
		if (point_valid(points[i]) &&
		    !has_manifest(catalog, target, points[i]) &&
		    access(image, F_OK) < 0 && errno == ENOENT)
			r = discard(directory, points[i], suffix, removed, err);
	}
	return r;
}

/*
 * An image that was finished, but whose point never came to be: what it has
 * need not be sent again. The sums go first, since a partial image without any
 * is of no use.
 */
static int make_partial(const struct repo_domain *domain, const char *target,
			const char *point)
{
	_cleanup_free_ char *image = image_path(domain, target, point);
	_cleanup_free_ char *partial =
		image_partial_path(domain, target, point);
	_cleanup_free_ char *sums = sums_path(domain, target, point);
	_cleanup_free_ char *partial_sums =
		sums_partial_path(domain, target, point);

	if (!image || !partial || !sums || !partial_sums ||
	    rename(sums, partial_sums) < 0 || rename(image, partial) < 0)
		return -errno;
	return chmod(partial, 0600) < 0 || chmod(partial_sums, 0600) < 0
		       ? -errno
		       : 0;
}

static int sort_out_images(const struct repo_domain *domain,
			   const char *directory, const struct catalog *catalog,
			   const char *target, unsigned int *removed,
			   struct err *err)
{
	_cleanup_strings_ char **points = NULL;
	size_t count;
	int r = listing_read(directory, ".qcow2", &points, &count, err);

	for (size_t i = 0; r == 0 && i < count; i++) {
		if (!point_valid(points[i]) ||
		    has_manifest(catalog, target, points[i]) ||
		    is_backing(domain, target, points[i]))
			continue;
		if (make_partial(domain, target, points[i]) < 0)
			r = discard(directory, points[i], ".qcow2", removed,
				    err);
	}
	return r;
}

/* The point that the file @name without its ".partial" is about. */
static bool is_of_use(const struct repo_domain *domain,
		      const struct catalog *catalog, const char *target,
		      const char *name)
{
	char point[POINT_SIZE];
	size_t length = strcspn(name, ".");

	if (length >= sizeof(point))
		return false;
	memcpy(point, name, length);
	point[length] = '\0';
	return partial_is_useful(domain, catalog, target, point);
}

/* Two passes: the image is what makes the others of use, and sorts last. */
static int sort_out_partials(const struct repo_domain *domain,
			     const char *directory,
			     const struct catalog *catalog, const char *target,
			     unsigned int *removed, struct err *err)
{
	_cleanup_strings_ char **names = NULL;
	_cleanup_free_ bool *keep = NULL;
	size_t count;
	int r = listing_read(directory, ".partial", &names, &count, err);

	if (r < 0)
		return r;
	keep = calloc(count + 1, sizeof(*keep));
	if (!keep)
		return fail(err, -ENOMEM, "out of memory");
	for (size_t i = 0; i < count; i++)
		keep[i] = is_of_use(domain, catalog, target, names[i]);
	for (size_t i = 0; r == 0 && i < count; i++)
		if (!keep[i])
			r = discard(directory, names[i], ".partial", removed,
				    err);
	return r;
}

static int sort_out(const struct repo_domain *domain, const char *directory,
		    const struct catalog *catalog, const char *target,
		    unsigned int *removed, struct err *err)
{
	int r = image_check_directory(domain, target, err);

	if (r < 0 || catalog->nr_damaged)
		return r;
	r = sort_out_images(domain, directory, catalog, target, removed, err);
	if (r == 0)
		r = sort_out_partials(domain, directory, catalog, target,
				      removed, err);
	if (r == 0)
		r = discard_about(directory, catalog, target, ".sums", removed,
				  err);
	if (r == 0)
		r = discard_about(directory, catalog, target, ".damaged",
				  removed, err);
	if (r == 0)
		r = discard_all(directory, ".damaged.tmp", removed, err);
	return r;
}

int leftovers_discard(const struct repo_domain *domain,
		      const struct catalog *catalog, unsigned int *ret_removed,
		      struct err *err)
{
	_cleanup_free_ char *points = io_format("%s/points", domain->path);
	_cleanup_free_ char *disks = io_format("%s/disks", domain->path);
	_cleanup_strings_ char **targets = NULL;
	unsigned int removed = 0;
	size_t count;
	int r;

	if (!points || !disks)
		return fail(err, -ENOMEM, "out of memory");
	r = discard_all(points, ".json.tmp", &removed, err);
	if (r == 0)
		r = listing_read(disks, "", &targets, &count, err);
	for (size_t i = 0; r == 0 && i < count; i++) {
		_cleanup_free_ char *directory =
			io_format("%s/%s", disks, targets[i]);

		if (!directory)
			return fail(err, -ENOMEM, "out of memory");
		if (disk_target_valid(targets[i]))
			r = sort_out(domain, directory, catalog, targets[i],
				     &removed, err);
	}
	if (r == 0)
		*ret_removed = removed;
	return r;
}
