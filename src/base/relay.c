/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Two buffers, each of which is read into when it is empty and written from
 * until it is again: what is not taken there is not asked for here.
 */
#include "base/relay.h"

#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/cleanup.h"
#include "base/err.h"
#include "base/io.h"

#define BUFFER_BYTES (256u << 10)

struct lane {
	int from, to;
	size_t begin, end; /* of what is in the buffer */
	bool at_end;
	uint8_t buffer[BUFFER_BYTES];
};

static bool is_passing(void)
{
	return errno == EAGAIN || errno == EINTR;
}

static int fill(struct lane *lane)
{
	ssize_t n = read(lane->from, lane->buffer, sizeof(lane->buffer));

	if (n < 0)
		return is_passing() ? 0 : -errno;
	lane->at_end = n == 0;
	lane->begin = 0;
	lane->end = n;
	return 0;
}

static int drain(struct lane *lane)
{
	ssize_t n = write(lane->to, lane->buffer + lane->begin,
			  lane->end - lane->begin);

	if (n < 0)
		return is_passing() ? 0 : -errno;
	lane->begin += n;
	return 0;
}

static bool is_empty(const struct lane *lane)
{
	return lane->begin == lane->end;
}

static struct pollfd wanted(const struct lane *lane)
{
	if (is_empty(lane))
		return (struct pollfd){.fd = lane->from, .events = POLLIN};
	return (struct pollfd){.fd = lane->to, .events = POLLOUT};
}

static int move(struct lane *lane, const struct pollfd *ready)
{
	if (!ready->revents)
		return 0;
	return is_empty(lane) ? fill(lane) : drain(lane);
}

static bool is_done(const struct lane *lane)
{
	return lane->at_end && is_empty(lane);
}

int relay_run(int in_fd, int out_fd, int fd, struct err *err)
{
	_cleanup_free_ struct lane *lanes = calloc(2, sizeof(*lanes));
	int r;

	if (!lanes)
		return fail(err, -ENOMEM, "out of memory");
	lanes[0].from = in_fd;
	lanes[0].to = lanes[1].from = fd;
	lanes[1].to = out_fd;
	r = io_unblock(in_fd, err);
	if (r == 0)
		r = io_unblock(out_fd, err);
	if (r == 0)
		r = io_unblock(fd, err);
	while (r == 0 && !is_done(&lanes[0]) && !is_done(&lanes[1])) {
		struct pollfd fds[] = {wanted(&lanes[0]), wanted(&lanes[1])};

		if (poll(fds, 2, -1) < 0 && errno != EINTR)
			return fail_errno(err, -errno, "poll");
		r = move(&lanes[0], &fds[0]);
		if (r == 0)
			r = move(&lanes[1], &fds[1]);
	}
	/* A side that is gone has been told nothing that it was to hear. */
	return r == -EPIPE || r == -ECONNRESET ? 0 : r;
}
