/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * flock has no timeout of its own.  Waiting polls every 20 ms: the only
 * waiter is the libvirt hook against a stack change that takes milliseconds.
 */
#include "base/lock.h"

#include <fcntl.h>
#include <sys/file.h>
#include <time.h>

#include "base/cleanup.h"
#include "base/err.h"

#define POLL_MS 20

int lock_take(const char *path, unsigned int wait_ms, struct err *err)
{
	_cleanup_close_ int fd =
		open(path, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);

	if (fd < 0)
		return fail_errno(err, -errno, "%s", path);
	while (flock(fd, LOCK_EX | LOCK_NB) < 0) {
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
