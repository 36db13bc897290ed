/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ssh gets a socket pair as its standard input and output.  It is not to ask
 * anything: a backup has nobody who could answer.  What it complains about is
 * the explanation of a connection that ended.
 */
#include "job/far.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/err.h"
#include "base/io.h"
#include "job/ui.h"
#include "repo/json.h"

#define CONNECT_MS 60000
#define SLICE_MS 200
#define GREETING_BYTES 200
#define PINGS 5
#define MAX_WORDS 32
#define COMMAND "env PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin dsync-vm target"

/* ------------------------------------------------------------------ ssh */

/* The words of $DSYNC_VM_SSH, or ssh; and what it needs to know. */
static int make_argv(const struct far_uri *uri, char *words,
		     const char *argv[MAX_WORDS], struct err *err)
{
	/* A connection of our own: it is ended without asking others. */
	const char *const always[] = {
		"-T",
		"-oBatchMode=yes",
		"-oControlMaster=no",
		"-oControlPath=none",
		"-oServerAliveInterval=10",
		"-oServerAliveCountMax=3",
	};
	size_t n = 0;
	char *save;

	for (char *word = strtok_r(words, " ", &save); word;
	     word = strtok_r(NULL, " ", &save)) {
		if (n > MAX_WORDS / 2)
			return fail(err, -EINVAL,
				    "DSYNC_VM_SSH: too many words");
		argv[n++] = word;
	}
	for (size_t i = 0; i < sizeof(always) / sizeof(*always); i++)
		argv[n++] = always[i];
	if (uri->port) {
		argv[n++] = "-p";
		argv[n++] = uri->port;
	}
	argv[n++] = "--";
	argv[n++] = uri->host;
	argv[n++] = COMMAND;
	argv[n] = NULL;
	return 0;
}

/* Returns our end of its standard input and output. */
static int start_ssh(const struct far_uri *uri, struct run *ret_ssh,
		     struct err *err)
{
	const char *given = getenv("DSYNC_VM_SSH");
	_cleanup_free_ char *words = strdup(given && *given ? given : "ssh");
	_cleanup_close_ int ours = -1, theirs = -1;
	const char *argv[MAX_WORDS];
	int ends[2], r;

	if (!words)
		return fail(err, -ENOMEM, "out of memory");
	r = make_argv(uri, words, argv, err);
	if (r < 0)
		return r;
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) < 0)
		return fail_errno(err, -errno, "socketpair");
	ours = ends[0];
	theirs = ends[1];
	r = run_start_talking(argv, theirs, ret_ssh, err);
	return r < 0 ? r : TAKE_FD(ours);
}

/* Puts ssh's words in place of "ended the connection" in @err. */
static int explain(struct far *far, int r, struct err *err)
{
	struct err words = {0};

	if ((r != -ENODATA && r != -EPIPE && r != -ECONNRESET) || !far->ssh.pid)
		return r;
	shutdown(far->fd, SHUT_RDWR);
	if (run_wait(&far->ssh, &words) == 0)
		return r;
	far_plain_text(words.text);
	if (err)
		err_clear(err);
	return fail(err, -EIO, "%s: %s", far->location, words.text);
}

/* ------------------------------------------------------------ handshake */

static int read_greeting(struct far *far, char text[GREETING_BYTES],
			 struct err *err)
{
	uint64_t deadline_ms = ui_now_ms() + CONNECT_MS;
	struct pollfd poll_fd = {.fd = far->fd, .events = POLLIN};
	size_t n = 0;

	while (n + 1 < GREETING_BYTES && (n == 0 || text[n - 1] != '\n')) {
		if (far->cancelled && *far->cancelled)
			return fail(err, -EINTR, "interrupted");
		if (ui_now_ms() > deadline_ms)
			return fail(err, -ETIMEDOUT, "%s: no answer for %d s",
				    far->location, CONNECT_MS / 1000);
		if (poll(&poll_fd, 1, SLICE_MS) <= 0)
			continue;
		if (read(far->fd, text + n, 1) != 1)
			return fail(err, -ENODATA, "%s: ended the connection",
				    far->location);
		n++;
	}
	text[n] = '\0';
	text[strcspn(text, "\n")] = '\0';
	far_plain_text(text);
	return 0;
}

static int check_greeting(const struct far *far, const char *text,
			  struct err *err)
{
	unsigned int protocol;

	if (sscanf(text, "dsync-vm target %u ", &protocol) != 1)
		return fail(err, -EPROTO,
			    "%s: is not answered by dsync-vm, but by '%s'; "
			    "does a shell's start-up file print something "
			    "there?",
			    far->location, text);
	if (protocol != FAR_PROTOCOL)
		return fail(err, -EOPNOTSUPP,
			    "%s: speaks protocol %u, and this host %u; update "
			    "dsync-vm %s",
			    far->location, protocol, FAR_PROTOCOL,
			    protocol < FAR_PROTOCOL ? "there" : "here");
	return 0;
}

static int shake_hands(struct far *far, struct err *err)
{
	char text[GREETING_BYTES];
	int r;

	snprintf(text, sizeof(text), "control %u\n", FAR_PROTOCOL);
	r = io_write_full(far->fd, text, strlen(text));
	if (r < 0)
		return fail_errno(err, r, "%s", far->location);
	r = read_greeting(far, text, err);
	return r < 0 ? r : check_greeting(far, text, err);
}

/*
 * How long one there and back takes, without what ssh needs to begin. A busy
 * host can make it longer, not shorter.
 */
static int measure(struct far *far, struct err *err)
{
	far->round_trip_ms = UINT32_MAX;
	for (int i = 0; i < PINGS && far->round_trip_ms >= FAR_LATENCY_MS;
	     i++) {
		uint64_t began_ms = ui_now_ms(), spent_ms;
		int r = far_call(far, far_request("ping"), NULL, 0, 0, NULL,
				 err);

		if (r < 0)
			return r;
		spent_ms = ui_now_ms() - began_ms;
		if (spent_ms < far->round_trip_ms)
			far->round_trip_ms = spent_ms;
	}
	return 0;
}

int far_open(const char *location, ship_cancel cancelled, struct ui *ui,
	     struct far **ret_far, struct err *err)
{
	_cleanup_far_ struct far *far = calloc(1, sizeof(*far));
	int r;

	if (!far)
		return fail(err, -ENOMEM, "out of memory");
	far->fd = -1;
	far->cancelled = cancelled;
	far->ui = ui;
	far->location = strdup(location);
	if (!far->location)
		return fail(err, -ENOMEM, "out of memory");
	r = far_uri_parse(location, &far->uri, err);
	if (r < 0)
		return r;
	far->fd = start_ssh(&far->uri, &far->ssh, err);
	if (far->fd < 0)
		return far->fd;
	r = shake_hands(far, err);
	if (r == 0)
		r = channel_open(far->fd, far->fd, location, cancelled,
				 &far->channel, err);
	if (r < 0)
		return explain(far, r, err);
	r = measure(far, err);
	if (r == 0)
		*ret_far = TAKE_PTR(far);
	return r;
}

void far_forget_known(struct far *far)
{
	for (unsigned int i = 0; i < far->nr_known; i++)
		free(far->known[i].data);
	far->nr_known = 0;
}

void far_close(struct far *far)
{
	if (!far)
		return;
	channel_close(far->channel);
	if (far->fd >= 0)
		close(far->fd);
	run_kill(&far->ssh);
	far_forget_known(far);
	far_uri_clear(&far->uri);
	free(far->location);
	free(far);
}

/* ---------------------------------------------------------------- calls */

struct json_object *far_request(const char *what)
{
	struct json_object *request = json_new();

	json_add_string(request, "do", what);
	return request;
}

static void show(struct far *far, const struct frame *frame)
{
	char text[512];

	snprintf(text, sizeof(text), "%.*s", (int)frame->size_bytes,
		 (const char *)frame->data);
	far_plain_text(text);
	if (frame->type == FRAME_WARNING)
		ui_warn(far->ui, "%s: %s", far->uri.host, text);
	else
		ui_note(far->ui, "%s: %s", far->uri.host, text);
}

/*
 * What a command prints: text, and of what a terminal obeys no more than it
 * takes to draw a line anew, or in a colour.
 */
static void print(const struct frame *frame)
{
	FILE *to = frame->type == FRAME_STDOUT ? stdout : stderr;
	const char *text = (const char *)frame->data;
	size_t length;

	for (size_t i = 0; i < frame->size_bytes; i += length) {
		size_t left = frame->size_bytes - i;

		length = far_sequence_length(text + i, left);
		if (length)
			fwrite(text + i, 1, length, to);
		else
			fputc('?', to);
		length += !length;
	}
	fflush(to);
}

static int keep_known(struct far *far, const struct frame *frame,
		      struct err *err)
{
	struct far_known *known = &far->known[far->nr_known];

	if (far->nr_known == FAR_MAX_KNOWN)
		return fail(err, -EPROTO, "%s: sends what nobody asked for",
			    far->location);
	known->data = malloc(frame->size_bytes + 1);
	if (!known->data)
		return fail(err, -ENOMEM, "out of memory");
	memcpy(known->data, frame->data, frame->size_bytes);
	known->size_bytes = frame->size_bytes;
	far->nr_known++;
	return 0;
}

/* What may come at any time, until it is @wanted. */
static int await(struct far *far, enum frame_type wanted,
		 struct frame *ret_frame, struct err *err)
{
	int r;

	while ((r = channel_receive(far->channel, ret_frame, err)) == 0) {
		if (ret_frame->type == FRAME_NOTE ||
		    ret_frame->type == FRAME_WARNING)
			show(far, ret_frame);
		else if (ret_frame->type == FRAME_STDOUT ||
			 ret_frame->type == FRAME_STDERR)
			print(ret_frame);
		else if (ret_frame->type == FRAME_KNOWN)
			r = keep_known(far, ret_frame, err);
		else if (ret_frame->type != wanted)
			r = fail(err, -EPROTO,
				 "%s: sends what nobody asked for",
				 far->location);
		if (r < 0 || ret_frame->type == wanted)
			break;
	}
	return r;
}

int far_await_known(struct far *far, struct err *err)
{
	struct frame frame;
	int r = far->nr_known ? 0 : await(far, FRAME_KNOWN, &frame, err);

	far->broken |= r < 0;
	return explain(far, r, err);
}

/* After one that did not come to its end, who knows what the next reply is to. */
static int exchange(struct far *far, struct json_object *request,
		    const void *blob, size_t blob_bytes, size_t max_blob_bytes,
		    struct far_message *reply, struct err *err)
{
	struct frame frame;
	int r;

	if (far->broken) {
		json_free(request);
		return fail(err, -ECONNABORTED, "%s: the connection is lost",
			    far->location);
	}
	r = far_message_send(far->channel, FRAME_REQUEST, request, blob,
			     blob_bytes, err);
	if (r == 0)
		r = await(far, FRAME_REPLY, &frame, err);
	if (r == 0)
		r = far_message_take(far->channel, &frame, max_blob_bytes,
				     reply, err);
	far->broken = r < 0;
	return explain(far, r, err);
}

int far_call(struct far *far, struct json_object *request, const void *blob,
	     size_t blob_bytes, size_t max_blob_bytes,
	     struct far_message *ret_reply, struct err *err)
{
	_cleanup_far_message_ struct far_message reply = {0};
	int r = exchange(far, request, blob, blob_bytes, max_blob_bytes, &reply,
			 err);

	if (r == 0)
		r = far_message_check(&reply, far->uri.host, err);
	if (r < 0 || !ret_reply)
		return r;
	*ret_reply = reply;
	reply = (struct far_message){0};
	return 0;
}

int far_checked(const struct far *far, int r, struct err *err)
{
	if (r == 0)
		return 0;
	if (r == -EBADMSG && err)
		err->code = -EPROTO;
	err_prefix(err, "%s", far->location);
	return r == -EBADMSG ? -EPROTO : r;
}

int far_dial(struct far *far, const char *token, struct far_line *ret_line,
	     struct err *err)
{
	_cleanup_close_ int fd = start_ssh(&far->uri, &ret_line->ssh, err);
	char text[GREETING_BYTES];
	int r;

	if (fd < 0)
		return fd;
	snprintf(text, sizeof(text), "data %s\n", token);
	r = io_write_full(fd, text, strlen(text));
	return r < 0 ? fail_errno(err, r, "%s", far->location) : TAKE_FD(fd);
}
