/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A QEMU is found by its image locks, or where it has the device under a node
 * of its own, by what processes have open.
 */
#include "job/vacant.h"

#include <fcntl.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "base/err.h"
#include "dm/content.h"
#include "dm/holder.h"
#include "dm/image-lock.h"

/* The lock goes with the descriptor. */
int vacant_check_no_qemu(const char *path, struct err *err)
{
	_cleanup_close_ int fd = open(path, O_RDWR | O_CLOEXEC);

	if (fd < 0)
		return fail_errno(err, -errno, "%s", path);
	return image_lock(fd, path, err);
}

/* Also those that O_EXCL does not keep off. */
static int check_unused(int fd, const char *path, struct err *err)
{
	_cleanup_free_ char *use = NULL;
	struct stat st;

	if (fstat(fd, &st) < 0)
		return fail_errno(err, -errno, "%s", path);
	use = holder_find(st.st_rdev);
	if (use)
		return fail(err, -EBUSY, "%s: in use: %s", path, use);
	return vacant_check_no_qemu(path, err);
}

/* @r is why it cannot be opened. */
static int refuse_to_open(const char *path, int r, struct err *err)
{
	_cleanup_free_ char *use = NULL;
	struct stat st;

	if (r != -EBUSY || stat(path, &st) < 0)
		return fail_errno(err, r, "%s", path);
	use = holder_find(st.st_rdev);
	return fail(err, r, "%s: in use: %s", path,
		    use ? use : "mounted, or part of another device");
}

int vacant_open_device(const char *path, struct err *err)
{
	_cleanup_close_ int fd = open(path, O_RDWR | O_EXCL | O_CLOEXEC);
	int r;

	if (fd < 0)
		return refuse_to_open(path, -errno, err);
	r = check_unused(fd, path, err);
	return r < 0 ? r : TAKE_FD(fd);
}

int vacant_check_empty(int fd, const char *path, uint64_t size_bytes,
		       struct err *err)
{
	const char *what;
	int r = content_find(fd, size_bytes, &what);

	if (r < 0)
		return fail_errno(err, r, "%s: what is on it", path);
	if (what)
		return fail(err, -EEXIST,
			    "%s: is not empty, there is %s on it; --force "
			    "overwrites it",
			    path, what);
	return 0;
}
