/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Two restores to one place are kept apart by flock on the partial file, or
 * by O_EXCL on the device, which mounts, md, dm and swap take as well.  A QEMU
 * takes neither (vacant.h).
 */
#include "job/restore-dest.h"

#include <fcntl.h>
#include <inttypes.h>
#include <libgen.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>

#include "base/err.h"
#include "base/io.h"
#include "base/lock.h"
#include "base/run.h"
#include "job/vacant.h"

void restore_dest_close(struct restore_dest *dest)
{
	if (!dest)
		return;
	if (dest->partial && dest->fd >= 0)
		unlink(dest->partial);
	if (dest->fd >= 0)
		close(dest->fd);
	free(dest->path);
	free(dest->partial);
	free(dest);
}

const char *restore_dest_writable(const struct restore_dest *dest)
{
	return dest->partial ? dest->partial : dest->path;
}

/* Absolute; only the last component may be missing. */
static char *absolute_path(const char *path, struct err *err)
{
	_cleanup_free_ char *copy = strdup(path), *other = strdup(path);
	_cleanup_free_ char *parent = NULL;
	char *whole = realpath(path, NULL);

	if (whole)
		return whole;
	if (!copy || !other) {
		fail(err, -ENOMEM, "out of memory");
		return NULL;
	}
	if (errno == ENOENT)
		parent = realpath(dirname(copy), NULL);
	if (!parent) {
		fail_errno(err, -errno, "%s", path);
		return NULL;
	}
	whole = io_format("%s/%s", strcmp(parent, "/") == 0 ? "" : parent,
			  basename(other));
	if (!whole)
		fail(err, -ENOMEM, "out of memory");
	return whole;
}

/* ----------------------------------------------------------------- files */

/* The name still leads to what was locked; the holder before may be done. */
static bool is_still_there(int fd, const char *path)
{
	struct stat open_one, named;

	return fstat(fd, &open_one) == 0 && stat(path, &named) == 0 &&
	       open_one.st_ino == named.st_ino &&
	       open_one.st_dev == named.st_dev;
}

/* What is in the file now goes; whoever has it open keeps it. */
static int make_empty(const struct restore_dest *dest, struct err *err)
{
	_cleanup_free_ char *size = io_format("%" PRIu64, dest->size_bytes);
	const char *argv[] = {"qemu-img", "create",      "-q", "-f", "qcow2",
			      "--",       dest->partial, size, NULL};

	if (!size)
		return fail(err, -ENOMEM, "out of memory");
	if (ftruncate(dest->fd, 0) < 0)
		return fail_errno(err, -errno, "%s", dest->partial);
	if (strcmp(dest->format, "qcow2") == 0)
		return run_command(argv, err);
	if (ftruncate(dest->fd, (off_t)dest->size_bytes) < 0)
		return fail_errno(err, -errno, "%s", dest->partial);
	return 0;
}

static int claim_partial(struct restore_dest *dest, bool force, struct err *err)
{
	_cleanup_close_ int fd = -1;

	if (!force && access(dest->partial, F_OK) == 0)
		return fail(err, -EEXIST,
			    "%s exists: another restore is running, or one "
			    "was killed; --force overwrites it",
			    dest->partial);
	fd = lock_take(dest->partial, 0, err);
	if (fd < 0)
		return fd;
	if (!is_still_there(fd, dest->partial))
		return fail(err, -EBUSY, "%s: in use by another restore",
			    dest->partial);
	/* From here on it is ours to remove. */
	dest->fd = TAKE_FD(fd);
	return make_empty(dest, err);
}

static int open_file(struct restore_dest *dest, bool force, struct err *err)
{
	int r;

	dest->replace = access(dest->path, F_OK) == 0;
	if (dest->replace && !force)
		return fail(err, -EEXIST, "%s exists; --force replaces it",
			    dest->path);
	if (dest->replace) {
		r = vacant_check_no_qemu(dest->path, err);
		if (r < 0)
			return r;
	}
	dest->partial = io_format("%s.partial", dest->path);
	if (!dest->partial)
		return fail(err, -ENOMEM, "out of memory");
	return claim_partial(dest, force, err);
}

static int commit_file(struct restore_dest *dest, struct err *err)
{
	_cleanup_free_ char *copy = strdup(dest->path);
	unsigned int flags = dest->replace ? 0 : RENAME_NOREPLACE;
	int r;

	if (!copy)
		return fail(err, -ENOMEM, "out of memory");
	r = renameat2(AT_FDCWD, dest->partial, AT_FDCWD, dest->path, flags);
	/* Some file systems can not refuse; what is there was checked. */
	if (r < 0 && errno == EINVAL)
		r = rename(dest->partial, dest->path);
	if (r < 0)
		return fail_errno(err, -errno, "%s", dest->path);
	close(dest->fd);
	dest->fd = -1;
	return io_sync_dir(dirname(copy), err);
}

/* --------------------------------------------------------------- devices */

static int open_device(struct restore_dest *dest, bool force, struct err *err)
{
	uint64_t disk_bytes = dest->size_bytes;
	int r;

	if (strcmp(dest->format, "raw") != 0)
		return fail(err, -EEXIST,
			    "%s: is a block device, which is written raw; "
			    "restore to a file, or without --format=%s",
			    dest->path, dest->format);
	dest->fd = vacant_open_device(dest->path, err);
	if (dest->fd < 0)
		return dest->fd;
	r = io_size_bytes(dest->fd, &dest->size_bytes);
	if (r < 0)
		return fail_errno(err, r, "%s", dest->path);
	if (dest->size_bytes < disk_bytes)
		return fail(err, -ENOSPC,
			    "%s: too small, %" PRIu64 " bytes for a disk of "
			    "%" PRIu64,
			    dest->path, dest->size_bytes, disk_bytes);
	return force ? 0
		     : vacant_check_empty(dest->fd, dest->path,
					  dest->size_bytes, err);
}

int restore_dest_open(const struct restore_place *place,
		      struct restore_dest **ret_dest, struct err *err)
{
	_cleanup_restore_dest_ struct restore_dest *dest =
		calloc(1, sizeof(*dest));
	struct stat st;
	int r;

	if (!dest)
		return fail(err, -ENOMEM, "out of memory");
	dest->fd = -1;
	dest->format = place->format;
	dest->size_bytes = place->size_bytes;
	dest->path = absolute_path(place->path, err);
	if (!dest->path)
		return err && err->code ? err->code : -EIO;
	if (stat(dest->path, &st) < 0 || S_ISREG(st.st_mode))
		r = open_file(dest, place->force, err);
	else if (S_ISBLK(st.st_mode))
		r = open_device(dest, place->force, err);
	else
		r = fail(err, -EEXIST, "%s: neither a file nor a block device",
			 dest->path);
	if (r == 0)
		*ret_dest = TAKE_PTR(dest);
	return r;
}

int restore_dest_commit(struct restore_dest *dest, struct err *err)
{
	if (fsync(dest->fd) < 0)
		return fail_errno(err, -errno, "%s",
				  restore_dest_writable(dest));
	return dest->partial ? commit_file(dest, err) : 0;
}
