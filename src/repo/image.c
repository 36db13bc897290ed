/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * An image is made by qemu-img and written by qemu-nbd; here are the steps in
 * between that make it durable, and the checks before anybody reads it.
 *
 * A repository may be somebody else's: a qcow2 header can name any file or
 * URL as its backing file or data file, and qemu would open it.  So headers
 * are compared with the manifests before qemu sees them.
 */
#include "repo/image.h"

#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>

#include "base/err.h"
#include "base/io.h"
#include "base/run.h"
#include "repo/catalog.h"
#include "repo/domain.h"
#include "repo/manifest.h"
#include "repo/qcow2.h"

#define OPTIONS                                                           \
	"cluster_size=128k,extended_l2=on,lazy_refcounts=off,compat=1.1," \
	"preallocation=off"

char *image_path(const struct repo_domain *domain, const char *target,
		 const char *point)
{
	_cleanup_free_ char *name = image_file_name(target, point);

	return name ? io_format("%s/%s", domain->path, name) : NULL;
}

char *image_partial_path(const struct repo_domain *domain, const char *target,
			 const char *point)
{
	_cleanup_free_ char *path = image_path(domain, target, point);

	return path ? io_format("%s.partial", path) : NULL;
}

static char *directory_path(const struct repo_domain *domain,
			    const char *target)
{
	return io_format("%s/disks/%s", domain->path, target);
}

/* --------------------------------------------------------------- making */

static int check_names(const char *target, const char *point, struct err *err)
{
	if (!disk_target_valid(target))
		return fail(err, -EINVAL, "%s: not the name of a disk", target);
	if (!point_valid(point))
		return fail(err, -EINVAL, "%s: not the name of a point", point);
	return 0;
}

static int make_directory(const struct repo_domain *domain, const char *target,
			  struct err *err)
{
	_cleanup_free_ char *disks = io_format("%s/disks", domain->path);
	_cleanup_free_ char *path = directory_path(domain, target);

	if (!disks || !path)
		return fail(err, -ENOMEM, "out of memory");
	if (mkdir(path, 0700) == 0)
		return io_sync_dir(disks, err);
	return errno == EEXIST ? 0 : fail_errno(err, -errno, "%s", path);
}

static int run_create(const char *path, uint64_t size_bytes,
		      const char *backing_name, struct err *err)
{
	_cleanup_free_ char *size = io_format("%" PRIu64, size_bytes);
	const char *argv[16] = {"qemu-img", "create", "-q",   "-f",
				"qcow2",    "-o",     OPTIONS};
	int n = 7;

	if (!size)
		return fail(err, -ENOMEM, "out of memory");
	if (backing_name) {
		argv[n++] = "-F";
		argv[n++] = "qcow2";
		argv[n++] = "-b";
		argv[n++] = backing_name;
	}
	argv[n++] = "--";
	argv[n++] = path;
	argv[n++] = size;
	return run_command(argv, err);
}

int image_create_partial(const struct repo_domain *domain, const char *target,
			 const char *point, uint64_t size_bytes,
			 const char *backing, char **ret_path, struct err *err)
{
	_cleanup_free_ char *path = image_partial_path(domain, target, point);
	_cleanup_free_ char *name = NULL;
	int r = check_names(target, point, err);

	if (r == 0 && backing && backing[0]) {
		r = check_names(target, backing, err);
		name = io_format("%s.qcow2", backing);
	}
	if (r == 0)
		r = make_directory(domain, target, err);
	if (r < 0)
		return r;
	if (!path || (backing && backing[0] && !name))
		return fail(err, -ENOMEM, "out of memory");
	r = run_create(path, size_bytes, name, err);
	if (r < 0) {
		unlink(path);
		return r;
	}
	*ret_path = TAKE_PTR(path);
	return 0;
}

/* Holes are a saving: an image without them is as good. */
static void dig_holes(int fd)
{
	struct qcow2_header header;

	if (qcow2_read_header(fd, &header) == 0)
		(void)qcow2_dig_holes(fd, &header);
}

static int make_durable(const char *path, struct err *err)
{
	_cleanup_close_ int fd = open(path, O_RDWR | O_NOFOLLOW | O_CLOEXEC);

	if (fd < 0)
		return fail_errno(err, -errno, "%s", path);
	dig_holes(fd);
	if (fchmod(fd, 0400) < 0 || fsync(fd) < 0)
		return fail_errno(err, -errno, "%s", path);
	return 0;
}

int image_finish(const struct repo_domain *domain, const char *target,
		 const char *point, struct err *err)
{
	_cleanup_free_ char *partial =
		image_partial_path(domain, target, point);
	_cleanup_free_ char *path = image_path(domain, target, point);
	_cleanup_free_ char *directory = directory_path(domain, target);
	int r = check_names(target, point, err);

	if (r < 0)
		return r;
	if (!partial || !path || !directory)
		return fail(err, -ENOMEM, "out of memory");
	r = make_durable(partial, err);
	if (r < 0)
		return r;
	if (access(path, F_OK) == 0)
		return fail(err, -EEXIST, "%s: exists already", path);
	if (rename(partial, path) < 0)
		return fail_errno(err, -errno, "%s", path);
	return io_sync_dir(directory, err);
}

/* ------------------------------------------------------------- removing */

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

static bool has_manifest(const struct catalog *catalog, const char *target,
			 const char *point)
{
	for (size_t i = 0; i < catalog->nr_points; i++)
		if (strcmp(catalog->points[i]->point, point) == 0)
			return manifest_find_disk(catalog->points[i], target);
	return false;
}

/*
 * True if another image of the directory is read through @point's, or if that
 * cannot be known. Asked of the files: their manifests may be on their way.
 */
static bool is_backing(const char *directory, char **points, const char *point)
{
	_cleanup_free_ char *name = io_format("%s.qcow2", point);

	if (!name)
		return true;
	for (char **other = points; *other; other++) {
		_cleanup_free_ char *path =
			io_format("%s/%s.qcow2", directory, *other);
		_cleanup_close_ int fd =
			path ? open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC)
			     : -1;
		struct qcow2_header header;

		if (fd < 0 && path && errno == ENOENT)
			continue;
		if (fd < 0 || qcow2_read_header(fd, &header) < 0 ||
		    strcmp(header.backing, name) == 0)
			return true;
	}
	return false;
}

static int discard_images(const char *directory, const struct catalog *catalog,
			  const char *target, unsigned int *removed,
			  struct err *err)
{
	_cleanup_strings_ char **points = NULL;
	size_t count;
	int r = discard_all(directory, ".qcow2.partial", removed, err);

	if (r < 0 || catalog->nr_damaged)
		return r;
	r = listing_read(directory, ".qcow2", &points, &count, err);
	for (size_t i = 0; r == 0 && i < count; i++)
		if (point_valid(points[i]) &&
		    !has_manifest(catalog, target, points[i]) &&
		    !is_backing(directory, points, points[i]))
			r = discard(directory, points[i], ".qcow2", removed,
				    err);
	return r;
}

int image_discard_leftovers(const struct repo_domain *domain,
			    const struct catalog *catalog,
			    unsigned int *ret_removed, struct err *err)
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
			directory_path(domain, targets[i]);

		if (!directory)
			return fail(err, -ENOMEM, "out of memory");
		if (disk_target_valid(targets[i]))
			r = discard_images(directory, catalog, targets[i],
					   &removed, err);
	}
	if (r == 0)
		*ret_removed = removed;
	return r;
}

/* ------------------------------------------------------------- checking */

static int check_header(const char *path, const struct manifest_disk *disk,
			struct err *err)
{
	_cleanup_close_ int fd = open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	_cleanup_free_ char *backing = io_format("%s.qcow2", disk->backing);
	struct qcow2_header header;
	int r;

	if (fd < 0 && errno == ENOENT)
		return fail(err, -EBADMSG,
			    "%s: missing; this point and the ones made on it "
			    "cannot be restored",
			    path);
	if (fd < 0)
		return fail_errno(err, -errno, "%s", path);
	if (!backing)
		return fail(err, -ENOMEM, "out of memory");
	r = qcow2_read_header(fd, &header);
	if (r == -EBADMSG)
		return fail(err, r, "%s: not a qcow2 image", path);
	if (r < 0)
		return fail_errno(err, r, "%s", path);
	if (header.size_bytes != disk->size_bytes)
		return fail(err, -EBADMSG,
			    "%s: a disk of %" PRIu64 " bytes, but the point's "
			    "has %" PRIu64,
			    path, header.size_bytes, disk->size_bytes);
	if (header.external_data ||
	    strcmp(header.backing, disk->backing[0] ? backing : "") != 0)
		return fail(err, -EBADMSG,
			    "%s: refers to a file that its manifest does not "
			    "name",
			    path);
	return 0;
}

int image_check_chain(const struct repo_domain *domain,
		      const struct catalog *catalog,
		      const struct manifest *point, const char *target,
		      struct err *err)
{
	size_t depth;
	int r = catalog_chain_depth(catalog, point, target, &depth, err);

	while (r == 0) {
		const struct manifest_disk *disk =
			manifest_find_disk(point, target);
		_cleanup_free_ char *path =
			image_path(domain, target, point->point);

		if (!path)
			return fail(err, -ENOMEM, "out of memory");
		r = check_header(path, disk, err);
		if (r < 0 || !disk->backing[0])
			return r;
		r = catalog_find(catalog, disk->backing, &point, err);
	}
	return r;
}
