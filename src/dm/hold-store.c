/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A file may grow to its limit, and all files of a backup together take at most
 * half of what is free there: an overflow costs a backup, a full /var costs the
 * host.
 *
 * A device must be blank, so that neither a slip in the configuration nor a
 * name that stands for another device today costs a guest its disk. So it is
 * made blank again after each use; and that it could not be, after a crash in
 * the middle of a backup, is known by a record that is there meanwhile.
 */
#include "dm/hold-store.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/sysmacros.h>

#include "base/config.h"
#include "base/err.h"
#include "base/io.h"
#include "base/name.h"
#include "dm/device.h"
#include "dm/loop.h"
#include "dm/stack.h"

#define BLANK_BYTES (1u << 20)
#define PAGE_BYTES 4096

static uint64_t min(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

/* ------------------------------------------------------------------ a file */

static int choose_size(const char *directory, uint64_t limit_bytes,
		       size_t nr_stores, uint64_t *ret_bytes, struct err *err)
{
	struct statvfs fs;

	if (statvfs(directory, &fs) < 0)
		return fail_errno(err, -errno, "%s", directory);
	*ret_bytes = min(limit_bytes,
			 (uint64_t)fs.f_bavail * fs.f_frsize / 2 / nr_stores) /
		     PAGE_BYTES * PAGE_BYTES;
	if (*ret_bytes == 0)
		return fail(err, -ENOSPC,
			    "%s: no room to hold what the guest overwrites "
			    "meanwhile: make some, or give the disk a device "
			    "for that, see dsync-vm.conf(5)",
			    directory);
	return 0;
}

/* An empty file of that size, which may be left of a run that was killed. */
static int make_file(const char *path, uint64_t size_bytes, struct err *err)
{
	_cleanup_close_ int fd = -1;

	if (unlink(path) < 0 && errno != ENOENT)
		return fail_errno(err, -errno, "%s", path);
	fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0 || ftruncate(fd, size_bytes) < 0)
		return fail_errno(err, -errno, "%s", path);
	return 0;
}

/*
 * Without direct I/O a copy counts as written when it is in the page cache: it
 * must not be lost later for want of space.
 */
static int reserve(const char *path, uint64_t size_bytes, struct err *err)
{
	_cleanup_close_ int fd = open(path, O_RDWR | O_CLOEXEC);

	if (fd < 0 || fallocate(fd, 0, 0, size_bytes) < 0)
		return fail_errno(err, -errno,
				  "%s: no room for a file of %llu MiB", path,
				  (unsigned long long)size_bytes >> 20);
	return 0;
}

static int open_file(const char *directory, const char *target,
		     uint64_t max_bytes, size_t nr_stores,
		     struct loop *ret_store, struct err *err)
{
	_cleanup_free_ char *path = io_format("%s/%s.store", directory, target);
	uint64_t size_bytes;
	int r;

	if (!path)
		return fail(err, -ENOMEM, "out of memory");
	r = choose_size(directory, max_bytes, nr_stores, &size_bytes, err);
	if (r == 0)
		r = make_file(path, size_bytes, err);
	if (r == 0)
		r = loop_open(path, ret_store, err);
	if (r == 0 && !ret_store->direct_io) {
		r = reserve(path, size_bytes, err);
		if (r < 0)
			loop_close(ret_store);
	}
	unlink(path);
	return r;
}

/* ---------------------------------------------------------------- a device */

static int check_blank(const char *path, struct err *err)
{
	_cleanup_close_ int fd = open(path, O_RDONLY | O_EXCL | O_CLOEXEC);
	_cleanup_free_ uint8_t *start = calloc(1, BLANK_BYTES);
	uint64_t size_bytes;
	size_t count;
	int r;

	if (!start)
		return fail(err, -ENOMEM, "out of memory");
	if (fd < 0)
		return fail_errno(err, -errno, "%s", path);
	r = io_size_bytes(fd, &size_bytes);
	count = min(size_bytes, BLANK_BYTES);
	if (r == 0)
		r = io_pread_full(fd, start, count, 0);
	if (r < 0)
		return fail_errno(err, r, "%s", path);
	if (count == 0 || start[0] || memcmp(start, start + 1, count - 1) != 0)
		return fail(err, -EUCLEAN,
			    "%s has something on it; if it really is to take "
			    "what holds need, zero its first MiB",
			    path);
	return 0;
}

/*
 * What a record says: the device, and by what it is known again. A dm device
 * has an id; other names are only good for as long as the host runs.
 */
static char *describe(const char *path, dev_t dev)
{
	char file[64];
	_cleanup_free_ char *id = NULL;

	snprintf(file, sizeof(file), "/sys/dev/block/%u:%u/dm/uuid", major(dev),
		 minor(dev));
	if (io_read_file(file, PATH_MAX, &id, NULL, NULL) < 0 || *id == '\n')
		(void)io_read_file("/proc/sys/kernel/random/boot_id", PATH_MAX,
				   &id, NULL, NULL);
	return id ? io_format("%s\n%s", path, id) : NULL;
}

/* Makes sure that nothing is lost by writing to @path. */
static int claim(const char *path, dev_t dev, const char *record,
		 struct err *err)
{
	_cleanup_free_ char *claimed = describe(path, dev);
	_cleanup_free_ char *known = NULL;
	int r;

	if (!claimed)
		return fail(err, -ENOMEM, "out of memory");
	if (io_read_file(record, 2 * PATH_MAX, &known, NULL, NULL) == 0 &&
	    strcmp(known, claimed) == 0)
		return 0;
	r = check_blank(path, err);
	return r < 0 ? r
		     : io_replace_file(record, claimed, strlen(claimed), 0600,
				       err);
}

static int open_device(const char *path, const char *directory,
		       const char *target, struct loop *ret_store,
		       struct err *err)
{
	_cleanup_free_ char *record = io_format("%s/%s", directory, target);
	_cleanup_close_ int fd = open(path, O_RDWR | O_CLOEXEC);
	struct stat st;
	int r;

	if (!record)
		return fail(err, -ENOMEM, "out of memory");
	if (fd < 0 || fstat(fd, &st) < 0)
		return fail_errno(err, -errno, "%s", path);
	if (!S_ISBLK(st.st_mode))
		return fail(err, -ENOTBLK, "%s: not a block device", path);
	r = claim(path, st.st_rdev, record, err);
	if (r == 0)
		*ret_store =
			(struct loop){.fd = TAKE_FD(fd), .dev = st.st_rdev};
	return r;
}

static int make_blank(const char *path, dev_t dev)
{
	_cleanup_close_ int fd = open(path, O_WRONLY | O_EXCL | O_CLOEXEC);
	uint64_t size_bytes;
	struct stat st;
	int r;

	if (fd < 0 || fstat(fd, &st) < 0)
		return -errno;
	if (!S_ISBLK(st.st_mode) || st.st_rdev != dev)
		return -ENODEV;
	r = io_size_bytes(fd, &size_bytes);
	return r < 0 ? r : io_write_zeroes(fd, 0, min(size_bytes, BLANK_BYTES));
}

/* If it cannot be, the record stays, and is as good. */
void hold_store_done(const char *disk_uuid, dev_t dev)
{
	_cleanup_free_ char *state_dir = disk_uuid_state_dir(disk_uuid);
	_cleanup_free_ char *record =
		state_dir ? io_format("%s/hold/%s", state_dir,
				      disk_uuid_target(disk_uuid))
			  : NULL;
	_cleanup_free_ char *known = NULL;

	if (!record ||
	    io_read_file(record, 2 * PATH_MAX, &known, NULL, NULL) < 0)
		return;
	known[strcspn(known, "\n")] = '\0';
	if (make_blank(known, dev) == 0)
		unlink(record);
}

/* ------------------------------------------------------------------- both */

int hold_store_open(const struct stack_disk *disk, uint64_t size_bytes,
		    size_t nr_stores, struct loop *ret_store, struct err *err)
{
	_cleanup_free_ char *directory =
		io_format(PLACE_STATE "/%s/hold", disk->domain_uuid);
	_cleanup_config_ struct config config = {0};
	uint64_t max_bytes =
		(size_bytes + PAGE_BYTES - 1) / PAGE_BYTES * PAGE_BYTES;
	int r;

	if (!directory)
		return fail(err, -ENOMEM, "out of memory");
	r = config_read(PLACE_CONFIG, disk->domain_name, disk->domain_uuid,
			disk->target, &config, err);
	if (r == 0)
		r = io_make_dirs(directory, err);
	if (r < 0)
		return r;
	if (config.hold)
		return open_device(config.hold, directory, disk->target,
				   ret_store, err);
	return open_file(directory, disk->target,
			 min(config.hold_limit_bytes, max_bytes), nr_stores,
			 ret_store, err);
}
