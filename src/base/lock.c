/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * flock has no timeout of its own.  Waiting polls every 20 ms: the only
 * waiter is the libvirt hook against a stack change that takes milliseconds.
 */
#include "base/lock.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <time.h>

#include "base/cleanup.h"
#include "base/err.h"
#include "base/io.h"

#define POLL_MS 20

static int lock(const char *path, int how, unsigned int wait_ms,
		struct err *err)
{
	_cleanup_close_ int fd = io_open_regular(path, O_RDWR | O_CREAT, err);

	if (fd < 0)
		return fd;
	while (flock(fd, how | LOCK_NB) < 0) {
		struct timespec pause = {.tv_nsec = POLL_MS * 1000000L};

		if (errno == EINTR)
			continue;
		if (errno != EWOULDBLOCK)
			return fail_errno(err, -errno, "%s", path);
		if (wait_ms < POLL_MS)
			return fail(err, -EBUSY, "%s: locked by another run",
				    path);
		nanosleep(&pause, NULL);
		wait_ms -= POLL_MS;
	}
	return TAKE_FD(fd);
}

int lock_take(const char *path, unsigned int wait_ms, struct err *err)
{
	return lock(path, LOCK_EX, wait_ms, err);
}

int lock_share(const char *path, unsigned int wait_ms, struct err *err)
{
	return lock(path, LOCK_SH, wait_ms, err);
}

bool lock_is_held(const char *path)
{
	_cleanup_fclose_ FILE *locks = fopen("/proc/locks", "re");
	char line[256], file[64];
	struct stat st;

	if (!locks || stat(path, &st) < 0)
		return false;
	snprintf(file, sizeof(file), " %02x:%02x:%llu ", major(st.st_dev),
		 minor(st.st_dev), (unsigned long long)st.st_ino);
	while (fgets(line, sizeof(line), locks))
		if (strstr(line, " FLOCK ") && strstr(line, " WRITE ") &&
		    !strstr(line, "->") && strstr(line, file))
			return true;
	return false;
}
