/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A thread for each connection does nothing but pass bytes on: what a program
 * reads slowly keeps no other one waiting.  All else, and every ssh, is the
 * main thread's: a child dies with the thread that made it.
 */
#include "job/export-far.h"

#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/socket.h>

#include "base/err.h"
#include "base/io.h"
#include "base/relay.h"
#include "job/reading.h"
#include "repo/manifest.h"

#define MAX_GUESTS 8 /* as many as the server over there takes */

/* Who came in, and the way on. */
struct guest {
	struct far_line line;
	int fd, far_fd;
	pthread_t thread;
	atomic_bool gone; /* set by the thread, as the last thing it does */
	bool is_in;
};

struct export_far {
	struct reading from;
	char token[FAR_TOKEN_SIZE];
	int listener;
	const char *socket;
	struct guest guests[MAX_GUESTS];
};

/* ------------------------------------------------------------------ guests */

static void *pass_on(void *opaque)
{
	struct guest *guest = opaque;

	(void)relay_run(guest->fd, guest->fd, guest->far_fd, NULL);
	/* Each side is told that the other one has had enough. */
	shutdown(guest->fd, SHUT_RDWR);
	shutdown(guest->far_fd, SHUT_RDWR);
	atomic_store(&guest->gone, true);
	return NULL;
}

static void see_out(struct guest *guest)
{
	if (!guest->is_in)
		return;
	pthread_join(guest->thread, NULL);
	close(guest->fd);
	close(guest->far_fd);
	run_kill(&guest->line.ssh);
	*guest = (struct guest){0};
}

static struct guest *find_room(struct export_far *far)
{
	struct guest *room = NULL;

	for (size_t i = 0; i < MAX_GUESTS; i++) {
		struct guest *guest = &far->guests[i];

		if (guest->is_in && atomic_load(&guest->gone))
			see_out(guest);
		if (!guest->is_in)
			room = guest;
	}
	return room;
}

static int let_in(struct export_far *far, struct guest *guest)
{
	int r;

	guest->far_fd = far_dial(far->from.far, far->token, &guest->line, NULL);
	r = guest->far_fd < 0
		    ? guest->far_fd
		    : -pthread_create(&guest->thread, NULL, pass_on, guest);
	guest->is_in = r == 0;
	if (r < 0) {
		if (guest->far_fd >= 0)
			close(guest->far_fd);
		run_kill(&guest->line.ssh);
	}
	return r;
}

void export_far_answer(struct export_far *far)
{
	struct guest *room = find_room(far);
	int fd = accept4(far->listener, NULL, NULL, SOCK_CLOEXEC);

	if (fd < 0)
		return;
	if (room) {
		*room = (struct guest){.fd = fd};
		if (let_in(far, room) == 0)
			return;
	}
	close(fd);
}

/* ------------------------------------------------------------- the whole */

int export_far_fd(const struct export_far *far)
{
	return far->listener;
}

int export_far_check(struct export_far *far, struct err *err)
{
	return far_call(far->from.far, far_request("ping"), NULL, 0, 0, NULL,
			err);
}

/* Asks for it, and reads from it once: what is wrong over there is said now. */
static int try_out(struct export_far *far, const struct export_far_disk *disk,
		   struct err *err)
{
	uint64_t size_bytes =
		manifest_find_disk(disk->point, disk->target)->size_bytes;
	struct far_lines lines = {0};
	struct ship_source *source = NULL;
	int r = reading_ask_for_image(&far->from, disk->point, disk->target,
				      size_bytes, &lines, err);

	if (r == 0)
		r = far_lines_open_source(&lines, size_bytes, &source, err);
	if (r == 0 && ship_source_size_bytes(source) != size_bytes)
		r = fail(err, -EPROTO,
			 "%s: serves another size than that of %s",
			 far->from.location, disk->target);
	if (source)
		ship_source_close(source);
	far_lines_end(&lines);
	memcpy(far->token, lines.token, sizeof(far->token));
	return r;
}

int export_far_begin(const struct export_far_disk *disk, ship_cancel cancelled,
		     struct export_far **ret_far, struct ui *ui,
		     struct err *err)
{
	_cleanup_export_far_ struct export_far *far = calloc(1, sizeof(*far));
	int r;

	if (!far)
		return fail(err, -ENOMEM, "out of memory");
	far->listener = -1;
	r = reading_open(&far->from, disk->repository, disk->domain, cancelled,
			 ui, err);
	if (r == 0)
		r = try_out(far, disk, err);
	if (r < 0)
		return r;
	far->listener = io_listen(disk->socket, err);
	if (far->listener < 0)
		return far->listener;
	far->socket = disk->socket;
	*ret_far = TAKE_PTR(far);
	return 0;
}

void export_far_end(struct export_far *far)
{
	if (!far)
		return;
	if (far->listener >= 0) {
		(void)unlink(far->socket);
		close(far->listener);
	}
	for (size_t i = 0; i < MAX_GUESTS; i++) {
		if (far->guests[i].is_in) {
			shutdown(far->guests[i].fd, SHUT_RDWR);
			shutdown(far->guests[i].far_fd, SHUT_RDWR);
		}
		see_out(&far->guests[i]);
	}
	reading_close(&far->from);
	free(far);
}
