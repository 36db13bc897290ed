/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * flock on one file tells "somebody" from "nobody" without counting: a count
 * would be wrong after the first process that was killed.
 */
#include "dm/use.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>

#include "base/cleanup.h"
#include "base/err.h"
#include "base/io.h"
#include "base/lock.h"
#include "base/name.h"

#define PATH_SIZE 128

static void place(char path[PATH_SIZE], const char *domain_uuid,
		  const char *file)
{
	snprintf(path, PATH_SIZE, PLACE_RUN "/%s/%s", domain_uuid, file);
}

int use_lock(const char *domain_uuid, unsigned int wait_ms, struct err *err)
{
	char path[PATH_SIZE];
	int r;

	if (!uuid_valid(domain_uuid))
		return fail(err, -EINVAL, "'%s' is not a uuid", domain_uuid);
	place(path, domain_uuid, "");
	r = io_make_dirs(path, err);
	if (r < 0)
		return r;
	place(path, domain_uuid, "stack.lock");
	return lock_take(path, wait_ms, err);
}

static int open_users(const char *domain_uuid, struct err *err)
{
	char path[PATH_SIZE];
	int fd;

	place(path, domain_uuid, "users.lock");
	fd = open(path, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
	return fd < 0 ? fail_errno(err, -errno, "%s", path) : fd;
}

int use_join(const char *domain_uuid, struct err *err)
{
	_cleanup_close_ int fd = open_users(domain_uuid, err);

	if (fd < 0)
		return fd;
	/* Held exclusively only under stack.lock, which is ours now, or by a
	 * claim. */
	if (flock(fd, LOCK_SH | LOCK_NB) < 0 && errno == EWOULDBLOCK)
		return fail(err, -EBUSY,
			    "its disks are being restored in place, or filled "
			    "from another host");
	if (flock(fd, LOCK_SH | LOCK_NB) < 0)
		return fail_errno(err, -errno, "users of domain %s",
				  domain_uuid);
	return TAKE_FD(fd);
}

int use_alone(const char *domain_uuid, int user_fd, struct err *err)
{
	_cleanup_close_ int own = user_fd < 0 ? open_users(domain_uuid, err)
					      : -1;
	int fd = user_fd < 0 ? own : user_fd;

	if (fd < 0)
		return fd;
	if (flock(fd, LOCK_EX | LOCK_NB) == 0)
		return 1;
	if (errno != EWOULDBLOCK)
		return fail_errno(err, -errno, "users of domain %s",
				  domain_uuid);
	return 0;
}

bool use_is_running(const char *domain_uuid)
{
	char path[PATH_SIZE];

	place(path, domain_uuid, "running");
	return access(path, F_OK) == 0;
}

int use_leave(const char *domain_uuid, int user_fd, struct err *err)
{
	if (use_is_running(domain_uuid))
		return 0;
	return use_alone(domain_uuid, user_fd, err);
}

/* use_leave() leaves the lock as it is, exclusive. */
int use_claim(const char *domain_uuid, int user_fd, struct err *err)
{
	int r = use_leave(domain_uuid, user_fd, err);

	if (r < 0)
		return r;
	return r == 1 ? 0
		      : fail(err, -EBUSY,
			     "it is being started, or its disks are read");
}

int use_unclaim(const char *domain_uuid, int user_fd, struct err *err)
{
	if (flock(user_fd, LOCK_SH | LOCK_NB) < 0)
		return fail_errno(err, -errno, "users of domain %s",
				  domain_uuid);
	return 0;
}

int use_claimed(const char *domain_uuid, struct err *err)
{
	_cleanup_close_ int fd = open_users(domain_uuid, err);

	if (fd < 0)
		return fd;
	if (flock(fd, LOCK_SH | LOCK_NB) == 0)
		return 0;
	if (errno != EWOULDBLOCK)
		return fail_errno(err, -errno, "users of domain %s",
				  domain_uuid);
	return 1;
}

int use_set_running(const char *domain_uuid, bool running, struct err *err)
{
	_cleanup_close_ int fd = -1;
	char path[PATH_SIZE];

	place(path, domain_uuid, "running");
	if (!running) {
		if (unlink(path) < 0 && errno != ENOENT)
			return fail_errno(err, -errno, "%s", path);
		return 0;
	}
	fd = open(path, O_WRONLY | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
	return fd < 0 ? fail_errno(err, -errno, "%s", path) : 0;
}
