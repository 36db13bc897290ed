/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Another size is refused in both directions: an NBD export of another size is
 * not the same disk, and the guest must not see one that changes. */
#include "job/place.h"

#include <fcntl.h>
#include <inttypes.h>
#include <libgen.h>
#include <string.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "base/err.h"
#include "base/io.h"
#include "job/vacant.h"

static int make_file(struct place *place, uint64_t size_bytes, struct err *err)
{
	_cleanup_free_ char *copy = strdup(place->path);

	if (!copy)
		return fail(err, -ENOMEM, "out of memory");
	place->fd = open(place->path,
			 O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
			 0600);
	if (place->fd < 0)
		return fail_errno(err, -errno, "%s", place->path);
	place->created = true;
	if (ftruncate(place->fd, (off_t)size_bytes) < 0 || fsync(place->fd) < 0)
		return fail_errno(err, -errno, "%s", place->path);
	return io_sync_dir(dirname(copy), err);
}

static int check_size(const struct place *place, uint64_t size_bytes,
		      struct err *err)
{
	uint64_t is_bytes;
	int r = io_size_bytes(place->fd, &is_bytes);

	if (r < 0)
		return fail_errno(err, r, "%s", place->path);
	if (is_bytes == size_bytes)
		return 0;
	return fail(err, is_bytes < size_bytes ? -ENOSPC : -EFBIG,
		    "%s: too %s: it has %" PRIu64
		    " bytes, and the disk %" PRIu64
		    "; give it exactly that size",
		    place->path, is_bytes < size_bytes ? "small" : "large",
		    is_bytes, size_bytes);
}

static int open_file(struct place *place, struct err *err)
{
	int r = vacant_check_no_qemu(place->path, err);

	if (r < 0)
		return r;
	place->fd = open(place->path, O_RDWR | O_CLOEXEC);
	return place->fd < 0 ? fail_errno(err, -errno, "%s", place->path) : 0;
}

static int open_existing(struct place *place, mode_t mode, struct err *err)
{
	if (S_ISREG(mode))
		return open_file(place, err);
	if (!S_ISBLK(mode))
		return fail(err, -ENOTBLK,
			    "%s: neither a block device nor a file",
			    place->path);
	place->fd = vacant_open_device(place->path, err);
	return place->fd < 0 ? place->fd : 0;
}

/* What is there, as it is wanted. */
static int take_existing(struct place *place, const struct stat *st,
			 uint64_t size_bytes, bool overwrite, struct err *err)
{
	int r;

	place->block = S_ISBLK(st->st_mode);
	r = open_existing(place, st->st_mode, err);
	if (r == 0)
		r = check_size(place, size_bytes, err);
	return r < 0 || overwrite ? r
				  : vacant_check_empty(place->fd, place->path,
						       size_bytes, err);
}

/* 1: there is nothing, and it is to be made. */
static int look_for(const char *path, uint64_t size_bytes, bool create,
		    bool overwrite, struct place *place, struct err *err)
{
	struct stat st;

	place->fd = -1;
	if (path[0] != '/')
		return fail(err, -EINVAL, "'%s': is not an absolute path",
			    path);
	place->path = strdup(path);
	if (!place->path)
		return fail(err, -ENOMEM, "out of memory");
	if (stat(path, &st) == 0)
		return take_existing(place, &st, size_bytes, overwrite, err);
	if (errno != ENOENT)
		return fail_errno(err, -errno, "%s", path);
	return create ? 1
		      : fail(err, -ENOENT,
			     "%s: is not there; --create makes a raw file, or "
			     "--disk names another place",
			     path);
}

int place_open(const char *path, uint64_t size_bytes, bool create,
	       bool overwrite, struct place *ret_place, struct err *err)
{
	int r = look_for(path, size_bytes, create, overwrite, ret_place, err);

	return r == 1 ? make_file(ret_place, size_bytes, err) : r;
}

int place_look(const char *path, uint64_t size_bytes, bool create,
	       bool overwrite, struct place *ret_place, struct err *err)
{
	_cleanup_free_ char *copy = strdup(path);
	int r = look_for(path, size_bytes, create, overwrite, ret_place, err);

	if (r < 1)
		return r;
	ret_place->created = true;
	if (!copy)
		return fail(err, -ENOMEM, "out of memory");
	return access(dirname(copy), W_OK) < 0
		       ? fail_errno(err, -errno, "%s", path)
		       : 0;
}

void place_release(struct place *place)
{
	if (place->fd >= 0)
		close(TAKE_FD(place->fd));
}

void place_clear(struct place *place)
{
	if (place->created && place->fd >= 0)
		(void)unlink(place->path);
	if (place->path)
		place_release(place);
	free(TAKE_PTR(place->path));
}
