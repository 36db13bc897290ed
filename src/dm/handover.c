/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What cannot be read counts as marked: there is no harm in asking. */
#include "dm/handover.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>

#include "base/err.h"
#include "base/io.h"
#include "base/name.h"

#define MAX_BYTES 16384
#define XML_MAX_BYTES (16 << 20)

/* URI, then a word for each of the others, a line each. */
#define LEFT "left"
#define RUNNING "running"

static char *mark_path(const char *state_dir, const char *name)
{
	return io_format("%s/%s", state_dir, name);
}

/* Takes @path over; NULL: out of memory. Durable. */
static int put_mark(char *path, const char *text, struct err *err)
{
	_cleanup_free_ char *owned = path;

	return path ? io_replace_file(path, text, strlen(text), 0600, err)
		    : fail(err, -ENOMEM, "out of memory");
}

void handover_clear(struct handover *handover)
{
	free(TAKE_PTR(handover->uri));
}

int handover_mark(const char *state_dir, const struct handover *handover,
		  struct err *err)
{
	_cleanup_free_ char *text =
		io_format("%s\n%s\n%s\n", handover->uri,
			  handover->left ? LEFT : "leaving",
			  handover->running ? RUNNING : "standing");

	return text ? put_mark(mark_path(state_dir, "handover"), text, err)
		    : fail(err, -ENOMEM, "out of memory");
}

/* Removes a mark, durably. */
static int remove_mark(const char *state_dir, const char *name, struct err *err)
{
	_cleanup_free_ char *path = mark_path(state_dir, name);

	if (!path)
		return fail(err, -ENOMEM, "out of memory");
	if (unlink(path) < 0)
		return errno == ENOENT ? 0
				       : fail_errno(err, -errno, "%s", path);
	return io_sync_dir(state_dir, err);
}

int handover_end(const char *state_dir, struct err *err)
{
	return remove_mark(state_dir, "handover", err);
}

/* The next line of *@at, which goes on behind it; NULL: there is none. */
static char *take_line(char **at)
{
	char *line = *at, *end = strchr(line, '\n');

	if (!end)
		return NULL;
	*end = '\0';
	*at = end + 1;
	return line;
}

int handover_read(const char *state_dir, struct handover *ret_handover,
		  struct err *err)
{
	_cleanup_free_ char *path = mark_path(state_dir, "handover");
	_cleanup_free_ char *text = NULL;
	char *at, *uri, *left, *running;
	int r;

	*ret_handover = (struct handover){0};
	if (!path)
		return fail(err, -ENOMEM, "out of memory");
	if (access(path, F_OK) < 0 && errno == ENOENT)
		return 0;
	r = io_read_file(path, MAX_BYTES, &text, NULL, err);
	if (r < 0)
		return r;
	at = text;
	uri = take_line(&at);
	left = uri ? take_line(&at) : NULL;
	running = left ? take_line(&at) : NULL;
	if (!running)
		return fail(err, -EIO, "%s: is not understood", path);
	ret_handover->uri = strdup(uri);
	ret_handover->left = strcmp(left, LEFT) == 0;
	ret_handover->running = strcmp(running, RUNNING) == 0;
	return ret_handover->uri ? 0 : fail(err, -ENOMEM, "out of memory");
}

int handover_check(const char *state_dir, struct err *err)
{
	_cleanup_handover_ struct handover handover = {0};
	int r = handover_read(state_dir, &handover, err);

	if (r < 0)
		return r;
	if (handover_is_arriving(state_dir))
		return fail(
			err, -EBUSY,
			"its move to this host did not come to its end, and "
			"its disks here %s: it may run where it came from, and "
			"moves on from there; if that host is gone, 'dsync-vm "
			"preseed --abort' lets it be started here",
			handover_is_whole(state_dir) ? "are whole"
						     : "are not complete");
	if (handover.uri)
		return fail(err, -EBUSY,
			    "it was handed over to %s, and its disks here are "
			    "not what it works with any more; if it is not "
			    "there, 'dsync-vm preseed --abort' gives it back "
			    "to this host",
			    handover.uri);
	return 0;
}

int handover_arrive(const char *state_dir, const char *xml, struct err *err)
{
	return put_mark(mark_path(state_dir, "arriving"), xml ? xml : "", err);
}

bool handover_is_arriving(const char *state_dir)
{
	_cleanup_free_ char *path = mark_path(state_dir, "arriving");

	return !path || access(path, F_OK) == 0 || errno != ENOENT;
}

int handover_fill(const char *state_dir, struct err *err)
{
	return put_mark(mark_path(state_dir, "filled"), "", err);
}

int handover_spoil(const char *state_dir, struct err *err)
{
	return remove_mark(state_dir, "filled", err);
}

int handover_arrived(const char *state_dir, struct err *err)
{
	int r = handover_spoil(state_dir, err);

	return r < 0 ? r : remove_mark(state_dir, "arriving", err);
}

bool handover_is_filled(const char *state_dir)
{
	_cleanup_free_ char *path = mark_path(state_dir, "filled");

	return path && access(path, F_OK) == 0;
}

bool handover_is_whole(const char *state_dir)
{
	_cleanup_free_ char *path = mark_path(state_dir, "arriving");
	struct stat st;

	return path && stat(path, &st) == 0 && st.st_size > 0;
}

int handover_read_xml(const char *state_dir, char **ret_xml, struct err *err)
{
	_cleanup_free_ char *path = mark_path(state_dir, "arriving");

	return path ? io_read_file(path, XML_MAX_BYTES, ret_xml, NULL, err)
		    : fail(err, -ENOMEM, "out of memory");
}

static char *incoming_path(const char *domain_uuid)
{
	return io_format(PLACE_RUN "/%s/incoming", domain_uuid);
}

static char *coming_path(const char *domain_uuid)
{
	return io_format(PLACE_RUN "/%s/coming", domain_uuid);
}

int handover_let_in(const char *domain_uuid, struct err *err)
{
	_cleanup_free_ char *path = incoming_path(domain_uuid);
	_cleanup_free_ char *coming = coming_path(domain_uuid);
	_cleanup_close_ int fd = -1;

	if (!path || !coming)
		return fail(err, -ENOMEM, "out of memory");
	fd = open(path, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0 || flock(fd, LOCK_EX | LOCK_NB) < 0)
		return fail_errno(err, errno == EWOULDBLOCK ? -EBUSY : -errno,
				  "%s", path);
	if (unlink(coming) < 0 && errno != ENOENT)
		return fail_errno(err, -errno, "%s", coming);
	if (ftruncate(fd, 0) < 0 || dprintf(fd, "%d\n", getpid()) < 0)
		return fail_errno(err, -errno, "%s", path);
	return TAKE_FD(fd);
}

void handover_tell(const char *domain_uuid)
{
	_cleanup_free_ char *path = incoming_path(domain_uuid);
	_cleanup_free_ char *pid = NULL;

	if (path && handover_is_let_in(domain_uuid) &&
	    io_read_file(path, MAX_BYTES, &pid, NULL, NULL) == 0 &&
	    atoi(pid) > 0)
		kill(atoi(pid), HANDOVER_SIGNAL);
}

bool handover_is_let_in(const char *domain_uuid)
{
	_cleanup_free_ char *path = incoming_path(domain_uuid);
	_cleanup_close_ int fd =
		path ? open(path, O_RDWR | O_NOFOLLOW | O_CLOEXEC) : -1;

	return fd >= 0 && flock(fd, LOCK_SH | LOCK_NB) < 0 &&
	       errno == EWOULDBLOCK;
}

int handover_comes(const char *domain_uuid, struct err *err)
{
	return put_mark(coming_path(domain_uuid), "", err);
}

bool handover_has_come(const char *domain_uuid)
{
	_cleanup_free_ char *path = coming_path(domain_uuid);

	return path && unlink(path) == 0 && handover_is_let_in(domain_uuid);
}
