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
#include "repo/json.h"
#include "repo/listing.h"
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

char *sums_path(const struct repo_domain *domain, const char *target,
		const char *point)
{
	return io_format("%s/disks/%s/%s.sums", domain->path, target, point);
}

char *sums_partial_path(const struct repo_domain *domain, const char *target,
			const char *point)
{
	return io_format("%s/disks/%s/%s.sums.partial", domain->path, target,
			 point);
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

int image_check_directory(const struct repo_domain *domain, const char *target,
			  struct err *err)
{
	_cleanup_free_ char *path = directory_path(domain, target);
	struct err why = {0};
	int r = path ? io_check_directory(path, &why)
		     : fail(&why, -ENOMEM, "out of memory");

	return r == 0 || r == -ENOENT ? 0 : fail(err, r, "%s", why.text);
}

int image_make_directory(const struct repo_domain *domain, const char *target,
			 struct err *err)
{
	_cleanup_free_ char *disks = io_format("%s/disks", domain->path);
	_cleanup_free_ char *path = directory_path(domain, target);

	if (!disks || !path)
		return fail(err, -ENOMEM, "out of memory");
	if (mkdir(path, 0700) < 0) {
		int r = errno == EEXIST
				? image_check_directory(domain, target, err)
				: fail_errno(err, -errno, "%s", path);

		if (r < 0)
			return r;
	}
	/* Whoever made it may have been killed before this. */
	return io_sync_dir(disks, err);
}

int image_sync_directory(const struct repo_domain *domain, const char *target,
			 struct err *err)
{
	_cleanup_free_ char *path = directory_path(domain, target);

	return path ? io_sync_dir(path, err)
		    : fail(err, -ENOMEM, "out of memory");
}

/* 1: the image @path is over the file @name. */
static int is_over(const char *path, const char *name)
{
	_cleanup_close_ int fd = io_open_regular(path, O_RDONLY, NULL);
	struct qcow2_header header;
	int r;

	if (fd < 0)
		return fd == -ENOENT ? 0 : fd;
	r = qcow2_read_header(fd, &header);
	return r < 0 ? r : strcmp(header.backing, name) == 0;
}

int image_find_over(const struct repo_domain *domain, const char *target,
		    const char *point, unsigned int *ret_count,
		    char ret_over[POINT_SIZE], struct err *err)
{
	_cleanup_free_ char *directory = directory_path(domain, target);
	_cleanup_free_ char *name = io_format("%s.qcow2", point);
	_cleanup_strings_ char **images = NULL;
	size_t count;
	int r;

	*ret_count = 0;
	ret_over[0] = '\0';
	if (!directory || !name)
		return fail(err, -ENOMEM, "out of memory");
	r = image_check_directory(domain, target, err);
	if (r == 0)
		r = listing_read(directory, ".qcow2", &images, &count, err);
	for (size_t i = 0; r == 0 && i < count; i++) {
		_cleanup_free_ char *path =
			io_format("%s/%s.qcow2", directory, images[i]);
		int over = path ? is_over(path, name) : -ENOMEM;

		if (over < 0)
			r = fail(err, -EBADMSG,
				 "%s: what it is laid over cannot be read",
				 path ? path : directory);
		if (over <= 0)
			continue;
		++*ret_count;
		snprintf(ret_over, POINT_SIZE, "%s", images[i]);
	}
	return r;
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

int image_make_overlay(const char *path, const char *over, uint64_t size_bytes,
		       struct err *err)
{
	_cleanup_free_ char *size = io_format("%" PRIu64, size_bytes);
	const char *argv[] = {"qemu-img", "create", "-q", "-f", "qcow2",
			      "-F",       "qcow2",  "-b", over, "--",
			      path,       size,     NULL};

	if (!size)
		return fail(err, -ENOMEM, "out of memory");
	return run_command(argv, err);
}

int image_mend(const char *path, struct err *err)
{
	const char *argv[] = {"qemu-img", "check", "-q", "-r", "leaks",
			      "-f",       "qcow2", "--", path, NULL};

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
		r = image_make_directory(domain, target, err);
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

char *image_alone(const char *path)
{
	_cleanup_json_ struct json_object *options = json_new();
	_cleanup_free_ char *text = NULL;
	struct json_object *file;

	json_add_string(options, "driver", "qcow2");
	json_add_string(options, "backing", NULL);
	file = json_add_object(options, "file");
	json_add_string(file, "driver", "file");
	json_add_string(file, "filename", path);
	text = options && file ? json_text(options) : NULL;
	return text ? io_format("json:%s", text) : NULL;
}

/* Holes are a saving: an image without them is as good. */
static void dig_holes(int fd)
{
	struct qcow2_header header;

	if (qcow2_read_header(fd, &header) == 0)
		(void)qcow2_dig_holes(fd, &header);
}

int image_make_durable(const char *path, struct err *err)
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
	_cleanup_free_ char *sums_partial =
		sums_partial_path(domain, target, point);
	_cleanup_free_ char *sums = sums_path(domain, target, point);
	int r = check_names(target, point, err);

	if (r < 0)
		return r;
	if (!partial || !path || !sums_partial || !sums)
		return fail(err, -ENOMEM, "out of memory");
	r = image_make_durable(partial, err);
	if (r < 0)
		return r;
	if (access(path, F_OK) == 0)
		return fail(err, -EEXIST, "%s: exists already", path);
	if (rename(sums_partial, sums) < 0)
		return fail_errno(err, -errno, "%s", sums);
	if (rename(partial, path) < 0)
		return fail_errno(err, -errno, "%s", path);
	return image_sync_directory(domain, target, err);
}

/* ------------------------------------------------------------- checking */

/* @other_bytes: another size that it may have instead, 0: none. */
static int check_header(const char *path, const struct manifest_disk *disk,
			uint64_t other_bytes, struct err *err)
{
	struct err why = {0};
	_cleanup_close_ int fd = io_open_regular(path, O_RDONLY, &why);
	_cleanup_free_ char *backing = io_format("%s.qcow2", disk->backing);
	struct qcow2_header header;
	int r;

	if (fd == -ENOENT)
		return fail(err, -EBADMSG,
			    "%s: missing; this point and the ones made on it "
			    "cannot be restored",
			    path);
	if (fd < 0)
		return fail(err, fd, "%s", why.text);
	if (!backing)
		return fail(err, -ENOMEM, "out of memory");
	r = qcow2_read_header(fd, &header);
	if (r == -EBADMSG)
		return fail(err, r, "%s: not a qcow2 image", path);
	if (r < 0)
		return fail_errno(err, r, "%s", path);
	if (header.size_bytes != disk->size_bytes &&
	    header.size_bytes != other_bytes)
		return fail(err, -EBADMSG,
			    "%s: a disk of %" PRIu64 " bytes, but the point's "
			    "has %" PRIu64,
			    path, header.size_bytes, disk->size_bytes);
	if (header.encrypted)
		return fail(err, -EBADMSG,
			    "%s: encrypted, which no image of a repository is",
			    path);
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
	uint64_t above_bytes = 0;
	size_t depth;
	int r = catalog_chain_depth(catalog, point, target, &depth, err);

	if (r == 0)
		r = image_check_directory(domain, target, err);
	while (r == 0 && point) {
		const struct manifest_disk *disk =
			manifest_find_disk(point, target);
		_cleanup_free_ char *path =
			image_path(domain, target, point->point);
		/* One on its way out becomes as large as the one above. */
		bool grows = catalog_hidden(catalog, point->point);

		if (!path)
			return fail(err, -ENOMEM, "out of memory");
		r = check_header(path, disk, grows ? above_bytes : 0, err);
		above_bytes = disk->size_bytes;
		if (r == 0)
			r = catalog_under(catalog, point, target, &point, err);
	}
	return r;
}
