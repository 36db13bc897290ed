/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Two locks: one of those who wait has the queue's, and tries for the turn's.
 * So who gives the turn away and wants it back stands behind him, and that
 * somebody waits can be seen, and for what.
 */
#include "job/turn.h"

#include <limits.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/err.h"
#include "base/io.h"
#include "base/lock.h"
#include "base/name.h"
#include "job/ui.h"

#define LOOK_MS 200 /* how soon an interrupt is noticed */
#define PATIENCE_MS 10000

static char *lock_path(const char *uuid, const char *name)
{
	return io_format(PLACE_RUN "/%s/%s.lock", uuid, name);
}

/* Takes the lock @path until @end_ms. */
static int await(const char *path, uint64_t end_ms,
		 const struct turn_wait *wait, struct err *err)
{
	struct err why = {0};
	int fd;

	while ((fd = lock_take(path, LOOK_MS, &why)) == -EBUSY &&
	       ui_now_ms() < end_ms) {
		if (wait->cancelled && *wait->cancelled)
			return fail(err, -EINTR, "interrupted");
		err_clear(&why);
	}
	return fd < 0 ? fail(err, fd, "%s", why.text) : fd;
}

/* What the turn is for is in its file. */
static void say_target(int turn_fd, const char *target)
{
	if (ftruncate(turn_fd, 0) == 0)
		(void)pwrite(turn_fd, target, strlen(target), 0);
}

static bool is_for(const char *turn, const char *target)
{
	_cleanup_free_ char *now = NULL;

	return io_read_file(turn, PATH_MAX, &now, NULL, NULL) == 0 &&
	       strcmp(now, target) == 0;
}

/*
 * Somebody who was stopped in the queue would keep all others waiting, while
 * nobody has the turn.
 */
static int await_queued(const char *turn, const char *queue, uint64_t end_ms,
			const struct turn_wait *wait, struct err *err)
{
	_cleanup_close_ int first = -1;
	int fd = -EBUSY;

	while (first < 0 && fd == -EBUSY && ui_now_ms() < end_ms) {
		uint64_t patience_ms = ui_now_ms() + PATIENCE_MS;

		err_clear(err);
		first = await(queue,
			      patience_ms < end_ms ? patience_ms : end_ms, wait,
			      err);
		if (first < 0 && first != -EBUSY)
			return first;
		err_clear(err);
		if (first < 0)
			fd = lock_take(turn, 0, err);
	}
	return first < 0 ? fd : await(turn, end_ms, wait, err);
}

/* Who waits for the run to his own target has no use for its turn before it has
 * ended. */
static int await_turn(const char *turn, const char *queue,
		      const struct turn_wait *wait, struct err *err)
{
	uint64_t end_ms = ui_now_ms() + wait->wait_s * UINT64_C(1000);

	return is_for(turn, wait->target)
		       ? await(turn, end_ms, wait, err)
		       : await_queued(turn, queue, end_ms, wait, err);
}

int turn_take(const char *uuid, const char *name, const struct turn_wait *wait,
	      struct err *err)
{
	_cleanup_free_ char *dir = io_format(PLACE_RUN "/%s", uuid);
	_cleanup_free_ char *turn = lock_path(uuid, "backup");
	_cleanup_free_ char *queue = lock_path(uuid, "queue");
	struct err why = {0};
	int fd, r;

	if (!dir || !turn || !queue)
		return fail(err, -ENOMEM, "out of memory");
	r = io_make_dirs(dir, err);
	if (r < 0)
		return r;
	fd = lock_is_held(queue) ? -EBUSY : lock_take(turn, 0, &why);
	if (fd == -EBUSY && wait && wait->wait_s) {
		ui_note(wait->ui,
			"%s: another run has this domain: waiting for it",
			name);
		err_clear(&why);
		fd = await_turn(turn, queue, wait, &why);
	}
	if (fd == -EBUSY)
		return fail(err, -EBUSY,
			    "%s: another backup of this domain is running, "
			    "or verify --source; wait for it (--wait), or end "
			    "it",
			    name);
	if (fd < 0)
		return fail(err, fd, "%s", why.text);
	say_target(fd, wait ? wait->target : "");
	return fd;
}

bool turn_is_wanted(const char *uuid)
{
	_cleanup_free_ char *queue = lock_path(uuid, "queue");

	return queue && lock_is_held(queue);
}
