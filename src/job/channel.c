/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Two threads send, one receives.  A frame is sent under the lock; the thread
 * of the heartbeat never waits for it: who holds it is saying something.
 */
#include "job/channel.h"

#include <endian.h>
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdbool.h>
#include <string.h>
#include <time.h>

#include "base/err.h"
#include "base/io.h"
#include "job/ui.h"

#define HEADER_BYTES 8
#define HEARTBEAT_S 5
#define STACK_BYTES (256u << 10)
#define SLICE_MS 200 /* how late a signal may be noticed */
/* What may arrive unread: what was asked for, and more is nonsense. */
#define INBOX_MAX_BYTES (64u << 20)
#define READ_BYTES (64u << 10)

struct watch {
	int fd;
	void (*look)(void *opaque);
	void *opaque;
};

struct channel {
	int in_fd, out_fd;
	char *peer;
	ship_cancel cancelled;
	/* read and not yet taken */
	uint8_t *inbox;
	size_t begin_bytes, used_bytes, room_bytes;
	size_t taken_bytes; /* from its beginning, by the frame that is out */
	bool at_end;
	uint64_t heard_ms;
	/* something else to look at */
	struct watch watches[CHANNEL_MAX_WATCHES];
	/* of the heartbeat */
	pthread_t thread;
	bool has_thread;
	pthread_mutex_t sending;
	pthread_mutex_t ending_lock;
	pthread_cond_t ending_changed;
	bool ending;
};

static void make_header(uint8_t header[HEADER_BYTES], enum frame_type type,
			size_t size_bytes)
{
	uint32_t length = htole32(size_bytes), number = htole32(type);

	memcpy(header, &length, sizeof(length));
	memcpy(header + sizeof(length), &number, sizeof(number));
}

/* ------------------------------------------------------------ heartbeat */

static bool can_write(const struct channel *channel, int wait_ms)
{
	struct pollfd poll_fd = {.fd = channel->out_fd, .events = POLLOUT};

	return poll(&poll_fd, 1, wait_ms) == 1 && poll_fd.revents & POLLOUT;
}

/* Who cannot write now is not the one who is silent. */
static void beat(struct channel *channel)
{
	uint8_t header[HEADER_BYTES];
	size_t done = 0;

	if (pthread_mutex_trylock(&channel->sending))
		return;
	make_header(header, FRAME_HEARTBEAT, 0);
	while (done < sizeof(header) &&
	       can_write(channel, done ? CHANNEL_SILENCE_MS : 0)) {
		ssize_t n = write(channel->out_fd, header + done,
				  sizeof(header) - done);

		if (n < 0 && errno != EAGAIN && errno != EINTR)
			break;
		done += n > 0 ? n : 0;
	}
	pthread_mutex_unlock(&channel->sending);
}

static void *keep_beating(void *opaque)
{
	struct channel *channel = opaque;
	struct timespec next;

	pthread_mutex_lock(&channel->ending_lock);
	while (!channel->ending) {
		clock_gettime(CLOCK_MONOTONIC, &next);
		next.tv_sec += HEARTBEAT_S;
		if (pthread_cond_timedwait(&channel->ending_changed,
					   &channel->ending_lock,
					   &next) != ETIMEDOUT)
			continue;
		pthread_mutex_unlock(&channel->ending_lock);
		beat(channel);
		pthread_mutex_lock(&channel->ending_lock);
	}
	pthread_mutex_unlock(&channel->ending_lock);
	return NULL;
}

/* Signals are for the main thread, whose poll(2) they end. */
static int start_thread(struct channel *channel, struct err *err)
{
	pthread_attr_t small;
	sigset_t all, before;
	int r;

	/* It is locked in memory where a guest waits for that. */
	pthread_attr_init(&small);
	pthread_attr_setstacksize(&small, STACK_BYTES);
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	r = pthread_create(&channel->thread, &small, keep_beating, channel);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	pthread_attr_destroy(&small);
	channel->has_thread = r == 0;
	return r ? fail_errno(err, -r, "%s: thread", channel->peer) : 0;
}

static void stop_thread(struct channel *channel)
{
	pthread_mutex_lock(&channel->ending_lock);
	channel->ending = true;
	pthread_cond_signal(&channel->ending_changed);
	pthread_mutex_unlock(&channel->ending_lock);
	pthread_join(channel->thread, NULL);
}

/* ----------------------------------------------------- opening, closing */

void channel_close(struct channel *channel)
{
	if (!channel)
		return;
	if (channel->has_thread)
		stop_thread(channel);
	pthread_mutex_destroy(&channel->sending);
	pthread_mutex_destroy(&channel->ending_lock);
	pthread_cond_destroy(&channel->ending_changed);
	free(channel->peer);
	free(channel->inbox);
	free(channel);
}

static void init_locks(struct channel *channel)
{
	pthread_condattr_t monotonic;

	pthread_condattr_init(&monotonic);
	pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
	pthread_cond_init(&channel->ending_changed, &monotonic);
	pthread_condattr_destroy(&monotonic);
	pthread_mutex_init(&channel->sending, NULL);
	pthread_mutex_init(&channel->ending_lock, NULL);
}

int channel_open(int in_fd, int out_fd, const char *peer, ship_cancel cancelled,
		 struct channel **ret_channel, struct err *err)
{
	_cleanup_channel_ struct channel *channel = calloc(1, sizeof(*channel));
	int r;

	if (!channel)
		return fail(err, -ENOMEM, "out of memory");
	init_locks(channel);
	channel->in_fd = in_fd;
	channel->out_fd = out_fd;
	for (unsigned int i = 0; i < CHANNEL_MAX_WATCHES; i++)
		channel->watches[i].fd = -1;
	channel->cancelled = cancelled;
	channel->peer = strdup(peer);
	if (!channel->peer)
		return fail(err, -ENOMEM, "out of memory");
	r = io_unblock(in_fd, err);
	if (r == 0)
		r = io_unblock(out_fd, err);
	if (r == 0)
		r = start_thread(channel, err);
	if (r == 0)
		*ret_channel = TAKE_PTR(channel);
	return r;
}

void channel_watch(struct channel *channel, unsigned int number, int fd,
		   void (*look)(void *opaque), void *opaque)
{
	channel->watches[number] =
		(struct watch){.fd = fd, .look = look, .opaque = opaque};
}

/* ------------------------------------------------------------ receiving */

static int make_room(struct channel *channel, struct err *err)
{
	size_t room = channel->room_bytes ? channel->room_bytes * 2
					  : 2 * READ_BYTES;
	uint8_t *inbox;

	if (channel->begin_bytes) {
		memmove(channel->inbox, channel->inbox + channel->begin_bytes,
			channel->used_bytes - channel->begin_bytes);
		channel->used_bytes -= channel->begin_bytes;
		channel->begin_bytes = 0;
	}
	if (channel->room_bytes - channel->used_bytes >= READ_BYTES)
		return 0;
	if (room > INBOX_MAX_BYTES)
		return fail(err, -EPROTO, "%s: sends what nobody asked for",
			    channel->peer);
	inbox = realloc(channel->inbox, room);
	if (!inbox)
		return fail(err, -ENOMEM, "out of memory");
	channel->inbox = inbox;
	channel->room_bytes = room;
	return 0;
}

/* Takes in what is there, without waiting. */
static int read_some(struct channel *channel, struct err *err)
{
	ssize_t n;
	int r = make_room(channel, err);

	if (r < 0)
		return r;
	n = read(channel->in_fd, channel->inbox + channel->used_bytes,
		 READ_BYTES);
	if (n < 0 && errno != EAGAIN && errno != EINTR)
		return fail_errno(err, -errno, "%s", channel->peer);
	channel->at_end |= n == 0;
	channel->used_bytes += n > 0 ? n : 0;
	if (n > 0)
		channel->heard_ms = ui_now_ms();
	return 0;
}

/* 1: the inbox begins with a whole frame. */
static int next_frame(struct channel *channel, struct frame *ret_frame,
		      struct err *err)
{
	size_t left = channel->used_bytes - channel->begin_bytes;
	const uint8_t *inbox;
	uint32_t length, type;

	if (left < HEADER_BYTES)
		return 0;
	inbox = channel->inbox + channel->begin_bytes;
	memcpy(&length, inbox, sizeof(length));
	memcpy(&type, inbox + sizeof(length), sizeof(type));
	length = le32toh(length);
	type = le32toh(type);
	if (length > CHANNEL_FRAME_BYTES || type >= FRAME_NR_TYPES)
		return fail(err, -EPROTO, "%s: does not speak our protocol",
			    channel->peer);
	if (left - HEADER_BYTES < length)
		return 0;
	*ret_frame = (struct frame){.type = type,
				    .data = inbox + HEADER_BYTES,
				    .size_bytes = length};
	channel->taken_bytes = HEADER_BYTES + length;
	return 1;
}

/* The frame that was out is done with. */
static void drop_taken(struct channel *channel)
{
	channel->begin_bytes += channel->taken_bytes;
	channel->taken_bytes = 0;
}

static int check_life(const struct channel *channel, struct err *err)
{
	if (channel->cancelled && *channel->cancelled)
		return fail(err, -EINTR, "interrupted");
	if (ui_now_ms() - channel->heard_ms > CHANNEL_SILENCE_MS)
		return fail(err, -ETIMEDOUT, "%s: no sign of life for %d s",
			    channel->peer, CHANNEL_SILENCE_MS / 1000);
	return 0;
}

static int wait_for_input(struct channel *channel, struct err *err)
{
	struct pollfd fds[1 + CHANNEL_MAX_WATCHES] = {
		{.fd = channel->in_fd, .events = POLLIN}};
	int r;

	for (unsigned int i = 0; i < CHANNEL_MAX_WATCHES; i++)
		fds[1 + i] = (struct pollfd){.fd = channel->watches[i].fd,
					     .events = POLLIN};

	if (channel->at_end)
		return fail(err, -ENODATA, "%s: ended the connection",
			    channel->peer);
	r = check_life(channel, err);
	if (r < 0 || poll(fds, 1 + CHANNEL_MAX_WATCHES, SLICE_MS) <= 0)
		return r;
	for (unsigned int i = 0; i < CHANNEL_MAX_WATCHES; i++)
		if (fds[1 + i].revents)
			channel->watches[i].look(channel->watches[i].opaque);
	return fds[0].revents ? read_some(channel, err) : 0;
}

int channel_receive(struct channel *channel, struct frame *ret_frame,
		    struct err *err)
{
	int r;

	/* Nobody was listening until now. */
	channel->heard_ms = ui_now_ms();
	do {
		drop_taken(channel);
		while ((r = next_frame(channel, ret_frame, err)) == 0)
			if ((r = wait_for_input(channel, err)) < 0)
				return r;
	} while (r == 1 && ret_frame->type == FRAME_HEARTBEAT);
	return r < 0 ? r : 0;
}

/* -------------------------------------------------------------- sending */

/* Waits until more can be written, and takes in what arrives. */
static int wait_to_write(struct channel *channel, struct err *err)
{
	struct pollfd fds[] = {
		{.fd = channel->out_fd, .events = POLLOUT},
		{.fd = channel->at_end ? -1 : channel->in_fd, .events = POLLIN},
	};
	int r = check_life(channel, err);

	if (r < 0 || poll(fds, 2, SLICE_MS) <= 0)
		return r;
	return fds[1].revents ? read_some(channel, err) : 0;
}

static int write_all(struct channel *channel, const void *data,
		     size_t size_bytes, struct err *err)
{
	const uint8_t *from = data;

	while (size_bytes) {
		ssize_t n = write(channel->out_fd, from, size_bytes);
		int r;

		if (n < 0 && errno != EAGAIN && errno != EINTR)
			return fail_errno(err, -errno, "%s", channel->peer);
		if (n <= 0) {
			r = wait_to_write(channel, err);
			if (r < 0)
				return r;
			continue;
		}
		from += n;
		size_bytes -= n;
	}
	return 0;
}

int channel_send(struct channel *channel, enum frame_type type,
		 const void *data, size_t size_bytes, struct err *err)
{
	uint8_t header[HEADER_BYTES];
	int r;

	make_header(header, type, size_bytes);
	channel->heard_ms = ui_now_ms();
	pthread_mutex_lock(&channel->sending);
	r = write_all(channel, header, sizeof(header), err);
	if (r == 0)
		r = write_all(channel, data, size_bytes, err);
	pthread_mutex_unlock(&channel->sending);
	return r;
}
