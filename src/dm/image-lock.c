/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The scheme of QEMU's file driver.  A permission is a number; who has it
 * holds a read lock on byte 100 + number, who does not share it with others
 * holds one on byte 200 + number.  Nobody ever holds a write lock: read locks
 * do not conflict, one only asks whether a write lock *would* be granted, and
 * so learns whether somebody else is there.
 *
 *	           read  write  write unchanged  resize
 *	we have     x      x          x            x
 *	we share    x                 x
 *
 * Like QEMU: first take, then ask.  Two that come at the same time may refuse
 * each other, but never both get in.
 */
#include "dm/image-lock.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>

#include "base/err.h"

#define HAVE_BASE 100
#define DENY_BASE 200

static const struct permission {
	const char *name;
	int number;
	bool shared;
} permissions[] = {
	{"read", 0, true},
	{"write", 1, false},
	{"write unchanged", 2, true},
	{"resize", 3, false},
};

#define NR_PERMISSIONS (sizeof(permissions) / sizeof(*permissions))

static int take(int fd, off_t byte)
{
	struct flock lock = {.l_type = F_RDLCK, .l_start = byte, .l_len = 1};

	return fcntl(fd, F_OFD_SETLK, &lock) < 0 ? -errno : 0;
}

/* 1: somebody else holds @byte. */
static int is_held(int fd, off_t byte)
{
	struct flock lock = {.l_type = F_WRLCK, .l_start = byte, .l_len = 1};

	if (fcntl(fd, F_OFD_GETLK, &lock) < 0)
		return -errno;
	return lock.l_type != F_UNLCK;
}

static int take_all(int fd)
{
	for (size_t i = 0; i < NR_PERMISSIONS; i++) {
		int r = take(fd, HAVE_BASE + permissions[i].number);

		if (r == 0 && !permissions[i].shared)
			r = take(fd, DENY_BASE + permissions[i].number);
		if (r < 0)
			return r;
	}
	return 0;
}

int image_lock(int fd, const char *path, struct err *err)
{
	int r = take_all(fd);

	for (size_t i = 0; i < NR_PERMISSIONS && r == 0; i++) {
		r = is_held(fd, DENY_BASE + permissions[i].number);
		if (r == 0 && !permissions[i].shared)
			r = is_held(fd, HAVE_BASE + permissions[i].number);
		if (r == 1)
			return fail(err, -EBUSY,
				    "%s: in use by a QEMU (its image lock "
				    "\"%s\" is taken)",
				    path, permissions[i].name);
	}
	if (r < 0)
		return fail_errno(err, r, "%s: image locks", path);
	return 0;
}
