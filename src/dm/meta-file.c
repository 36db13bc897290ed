/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A file is larger than it need be, so that the disk can grow a little; if
 * that is not enough, it grows too, since the layout does not depend on it.
 */
#include "dm/meta-file.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/config.h"
#include "base/err.h"
#include "base/io.h"
#include "base/name.h"
#include "dm/loop.h"
#include "dm/metadata.h"
#include "dm/tracker.h"

#define MIB (UINT64_C(1) << 20)

void meta_place_clear(struct meta_place *place)
{
	free(place->path);
	place->path = NULL;
}

int meta_place_find(const char *domain_name, const char *domain_uuid,
		    const char *target, struct meta_place *ret_place,
		    struct err *err)
{
	_cleanup_config_ struct config config = {0};
	int r = config_read(PLACE_CONFIG, domain_name, domain_uuid, target,
			    &config, err);

	if (r < 0)
		return r;
	ret_place->configured = config.metadata;
	ret_place->path = config.metadata ? TAKE_PTR(config.metadata)
					  : io_format(PLACE_STATE "/%s/meta/%s",
						      domain_uuid, target);
	return ret_place->path ? 0 : fail(err, -ENOMEM, "out of memory");
}

/* What makes the module format it. */
static int wipe(int fd, uint64_t size_bytes)
{
	uint64_t blank = METADATA_BLANK_BYTES;

	return io_write_zeroes(fd, 0, size_bytes < blank ? size_bytes : blank);
}

/* ------------------------------------------------------------------ a file */

static int make_file(const char *path, uint64_t size_bytes, struct err *err)
{
	_cleanup_free_ char *directory =
		io_format("%.*s", (int)(strrchr(path, '/') - path), path);
	_cleanup_free_ char *temporary = io_format("%s.tmp", path);
	_cleanup_close_ int fd = -1;
	int r;

	if (!directory || !temporary)
		return fail(err, -ENOMEM, "out of memory");
	r = io_make_dirs(directory, err);
	if (r < 0)
		return r;
	fd = open(temporary,
		  O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);
	r = fd < 0 ? -errno : io_write_zeroes(fd, 0, size_bytes);
	if (r == 0 && rename(temporary, path) < 0)
		r = -errno;
	if (r < 0) {
		unlink(temporary);
		return fail_errno(err, r, "%s", path);
	}
	return io_sync_dir(directory, err);
}

/* Brings a file that is there to @want_bytes if it has less than it needs. */
static int adapt_file(int fd, uint64_t need_bytes, uint64_t want_bytes,
		      bool trusted)
{
	uint64_t size_bytes;
	int r = io_size_bytes(fd, &size_bytes);

	if (r == 0 && !trusted)
		r = wipe(fd, size_bytes);
	if (r == 0 && size_bytes < need_bytes)
		r = io_write_zeroes(fd, size_bytes, want_bytes);
	return r;
}

static int open_file(const char *path, uint64_t need_bytes, bool trusted,
		     struct loop *ret_meta, struct err *err)
{
	uint64_t want_bytes =
		(need_bytes + need_bytes / 8 + MIB - 1) / MIB * MIB;
	_cleanup_close_ int fd = open(path, O_RDWR | O_NOFOLLOW | O_CLOEXEC);
	int r;

	if (fd < 0 && errno != ENOENT)
		return fail_errno(err, -errno, "%s", path);
	if (fd < 0) {
		r = make_file(path, want_bytes, err);
	} else {
		r = adapt_file(fd, need_bytes, want_bytes, trusted);
		if (r < 0)
			fail_errno(err, r, "%s", path);
	}
	return r < 0 ? r : loop_open(path, ret_meta, err);
}

/* ---------------------------------------------------------------- a device */

static int check_content(const char *path, struct err *err)
{
	struct metadata metadata;
	int r = metadata_read(path, &metadata, NULL);

	if (r == 0 || (metadata.found && !strcmp(metadata.found, "blank")))
		return 0;
	return fail(err, -EUCLEAN,
		    "%s has something else on it (%s), and is left alone; if "
		    "it really is to be used, zero its first MiB",
		    path, metadata.found ? metadata.found : "unreadable");
}

static int wipe_device(const char *path, uint64_t size_bytes, struct err *err)
{
	_cleanup_close_ int fd = open(path, O_RDWR | O_EXCL | O_CLOEXEC);
	int r;

	if (fd < 0)
		return fail_errno(err, -errno, "%s", path);
	r = check_content(path, err);
	if (r < 0)
		return r;
	r = wipe(fd, size_bytes);
	return r < 0 ? fail_errno(err, r, "%s", path) : 0;
}

static int open_device(const char *path, uint64_t need_bytes, bool trusted,
		       struct loop *ret_meta, struct err *err)
{
	_cleanup_close_ int fd = open(path, O_RDWR | O_CLOEXEC);
	uint64_t size_bytes;
	struct stat st;
	int r;

	if (fd < 0 || fstat(fd, &st) < 0)
		return fail_errno(err, -errno, "%s", path);
	if (!S_ISBLK(st.st_mode))
		return fail(err, -ENOTBLK, "%s: not a block device", path);
	r = io_size_bytes(fd, &size_bytes);
	if (r < 0)
		return fail_errno(err, r, "%s: its size", path);
	if (size_bytes < need_bytes)
		return fail(err, -ENOSPC,
			    "%s is too small: the disk needs %llu KiB of "
			    "metadata",
			    path, (unsigned long long)need_bytes / 1024);
	if (!trusted)
		r = wipe_device(path, size_bytes, err);
	if (r == 0)
		*ret_meta = (struct loop){.fd = TAKE_FD(fd), .dev = st.st_rdev};
	return r;
}

/* ------------------------------------------------------------------- both */

int meta_open(const struct meta_place *place, uint64_t data_sectors,
	      bool trusted, struct loop *ret_meta, struct err *err)
{
	uint64_t need_bytes =
		metadata_needs_bytes(data_sectors, TRACKER_BLOCK_SECTORS);

	return place->configured ? open_device(place->path, need_bytes, trusted,
					       ret_meta, err)
				 : open_file(place->path, need_bytes, trusted,
					     ret_meta, err);
}
