/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Several connections are used only when the server says that they are one
 * (multi-conn): what one has written the others read, and a flush on one
 * covers all.  More than four gain nothing on a host and little on a network;
 * qemu-nbd works on 16 requests of each at a time.
 *
 * Connecting is asynchronous too, so that a server that accepts and then says
 * nothing costs a deadline and not the night.
 */
#include "ship/link.h"

#include <string.h>
#include <time.h>

#include "base/err.h"

#define CONNECT_MS 30000
#define FURTHER_MS 3000 /* for the second connection and on */
#define POLL_MS 100

DEFINE_CLEANUP(struct nbd_handle *, nbd_close);
#define _cleanup_nbd_ _cleanup_(cleanup_nbd_close)

int foreign_errno(int error)
{
	switch (error) {
	case 0:
	case EINVAL:
	case EBUSY:
	case ESTALE:
	case EBADMSG:
	case EOPNOTSUPP:
	case EINTR:
		return -EIO;
	default:
		return -error;
	}
}

/* libnbd's text without the name of the function that it begins with. */
static const char *last_error(void)
{
	const char *text = nbd_get_error(), *colon;

	if (!text)
		return "unknown error";
	colon = strstr(text, ": ");
	if (strncmp(text, "nbd_", 4) == 0 && colon)
		return colon + 2;
	return text;
}

int link_fail(const struct link *link, const char *what, struct err *err)
{
	return fail(err, foreign_errno(nbd_get_errno()), "%s: %s: %s",
		    link->name, what, last_error());
}

/* What is behind a text that only says which of libnbd's steps failed. */
static const char *remedy(const char *text)
{
	static const struct {
		const char *part, *remedy;
	} remedies[] = {
		{"gnutls_", "; TLS wants the server's key, or certificates "
			    "that both ends trust, in the URI"},
		{"requires TLS", "; say nbds:// or nbds+unix://, and name a "
				 "key or certificates"},
		{"refused TLS", "; it has to be started with --tls-creds, or "
				"something like it"},
	};

	for (size_t i = 0; i < sizeof(remedies) / sizeof(*remedies); i++)
		if (strstr(text, remedies[i].part))
			return remedies[i].remedy;
	return "";
}

static int cannot_connect(const struct link *link, struct err *err)
{
	const char *text = last_error();

	return fail(err, foreign_errno(nbd_get_errno()),
		    "%s: cannot connect: %s%s", link->name, text, remedy(text));
}

static int64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * INT64_C(1000) + now.tv_nsec / 1000000;
}

/* Waits until @nbd has shaken hands. */
static int await_ready(const struct link *link, struct nbd_handle *nbd,
		       ship_cancel cancelled, struct err *err)
{
	int wait_ms = link->nr_handles ? FURTHER_MS : CONNECT_MS;
	int64_t deadline = now_ms() + wait_ms;

	while (nbd_aio_is_connecting(nbd) == 1 ||
	       nbd_aio_is_negotiating(nbd) == 1) {
		if (cancelled && *cancelled)
			return fail(err, -EINTR, "%s: interrupted", link->name);
		if (now_ms() > deadline)
			return fail(err, -ETIMEDOUT,
				    "%s: no answer from the server for %d s",
				    link->name, wait_ms / 1000);
		if (nbd_poll(nbd, POLL_MS) < 0 && nbd_get_errno() != EINTR)
			return cannot_connect(link, err);
	}
	if (nbd_aio_is_ready(nbd) == 1)
		return 0;
	return fail(err, -ECONNABORTED, "%s: the server closed the connection",
		    link->name);
}

static int begin_connecting(const struct link *link,
			    const struct ship_address *to,
			    struct nbd_handle *nbd, struct err *err)
{
	_cleanup_close_ int fd = -1;

	if (to->dial) {
		fd = to->dial(to->opaque, err);
		if (fd < 0)
			return fd;
		if (nbd_aio_connect_socket(nbd, fd) < 0)
			return cannot_connect(link, err);
		TAKE_FD(fd);
		return 0;
	}
	if (nbd_aio_connect_uri(nbd, to->uri) == 0)
		return 0;
	if (nbd_get_errno() == EINVAL)
		return fail(err, -EINVAL, "%s: %s", link->name, last_error());
	return cannot_connect(link, err);
}

static int connect_one(const struct link *link, const struct ship_address *to,
		       bool writable, ship_cancel cancelled,
		       struct nbd_handle **ret_nbd, struct err *err)
{
	_cleanup_nbd_ struct nbd_handle *nbd = nbd_create();
	int r;

	if (!nbd)
		return fail(err, -ENOMEM, "%s: out of memory", link->name);
	/* Simple replies are smaller; block status needs structured ones. */
	if (nbd_set_uri_allow_local_file(nbd, true) < 0 ||
	    nbd_set_pread_initialize(nbd, false) < 0 ||
	    nbd_set_request_structured_replies(nbd, !writable) < 0)
		return cannot_connect(link, err);
	if (!writable &&
	    nbd_add_meta_context(nbd, LIBNBD_CONTEXT_BASE_ALLOCATION) < 0)
		return cannot_connect(link, err);
	r = begin_connecting(link, to, nbd, err);
	if (r < 0)
		return r;
	r = await_ready(link, nbd, cancelled, err);
	if (r < 0)
		return r;
	*ret_nbd = TAKE_PTR(nbd);
	return 0;
}

static int learn(struct link *link, bool writable, struct err *err)
{
	struct nbd_handle *nbd = link->handles[0];
	int64_t size = nbd_get_size(nbd);
	int64_t minimum = nbd_get_block_size(nbd, LIBNBD_SIZE_MINIMUM);
	int64_t maximum = nbd_get_block_size(nbd, LIBNBD_SIZE_MAXIMUM);

	if (size < 0)
		return link_fail(link, "size", err);
	if (writable && nbd_is_read_only(nbd) != 0)
		return fail(err, -EROFS, "%s: the export is read-only",
			    link->name);
	if (minimum > 4096)
		return fail(err, -EOPNOTSUPP,
			    "%s: the server wants requests of %lld bytes at "
			    "least, at most 4096 can be had",
			    link->name, (long long)minimum);
	link->size_bytes = size;
	link->max_request_bytes = 32u << 20;
	if (maximum >= 4096 && maximum < link->max_request_bytes)
		link->max_request_bytes = maximum / 4096 * 4096;
	link->can_zero = nbd_can_zero(nbd) == 1;
	link->can_flush = nbd_can_flush(nbd) == 1;
	return 0;
}

/*
 * Further connections are a gain, not a need: a server may have fewer to give
 * than we want (qemu-nbd --shared=2), or be serving others.
 */
static int connect_further(struct link *link, const struct ship_address *to,
			   bool writable, ship_cancel cancelled,
			   struct err *err)
{
	unsigned int wanted = to->max_connections;

	if (!wanted || wanted > LINK_MAX_CONNECTIONS)
		wanted = LINK_MAX_CONNECTIONS;
	while (link->nr_handles < wanted) {
		struct err ignored = {0};
		int r = connect_one(link, to, writable, cancelled,
				    &link->handles[link->nr_handles], &ignored);

		if (r == -EINTR)
			return fail(err, r, "%s", ignored.text);
		if (r < 0)
			return 0;
		link->nr_handles++;
	}
	return 0;
}

static int connect_all(struct link *link, const struct ship_address *to,
		       bool writable, ship_cancel cancelled, struct err *err)
{
	int r = connect_one(link, to, writable, cancelled, &link->handles[0],
			    err);

	if (r < 0)
		return r;
	link->nr_handles = 1;
	r = learn(link, writable, err);
	if (r == 0 && nbd_can_multi_conn(link->handles[0]) == 1)
		r = connect_further(link, to, writable, cancelled, err);
	return r;
}

int link_open(const struct ship_address *to, bool writable,
	      ship_cancel cancelled, struct link *ret_link, struct err *err)
{
	int r;

	*ret_link = (struct link){.name = strdup(to->name)};
	if (!ret_link->name)
		return fail(err, -ENOMEM, "%s: out of memory", to->name);
	r = connect_all(ret_link, to, writable, cancelled, err);
	if (r < 0)
		link_destroy(ret_link);
	return r;
}

/* Says goodbye without waiting for an answer; the server expects no other. */
void link_close(struct link *link)
{
	for (unsigned int i = 0; i < link->nr_handles; i++) {
		if (nbd_aio_is_ready(link->handles[i]) == 1)
			(void)nbd_aio_disconnect(link->handles[i], 0);
		nbd_close(link->handles[i]);
	}
	link->nr_handles = 0;
}

void link_destroy(struct link *link)
{
	link_close(link);
	free(link->name);
	link->name = NULL;
}

struct nbd_handle *link_least_busy(const struct link *link)
{
	struct nbd_handle *best = link->handles[0];
	int least = nbd_aio_in_flight(best);

	for (unsigned int i = 1; i < link->nr_handles && least > 0; i++) {
		int in_flight = nbd_aio_in_flight(link->handles[i]);

		if (in_flight >= 0 && in_flight < least) {
			least = in_flight;
			best = link->handles[i];
		}
	}
	return best;
}

unsigned int link_poll_fds(const struct link *link, struct pollfd fds[])
{
	for (unsigned int i = 0; i < link->nr_handles; i++) {
		unsigned int direction =
			nbd_aio_get_direction(link->handles[i]);

		fds[i] =
			(struct pollfd){.fd = nbd_aio_get_fd(link->handles[i])};
		if (direction & LIBNBD_AIO_DIRECTION_READ)
			fds[i].events |= POLLIN;
		if (direction & LIBNBD_AIO_DIRECTION_WRITE)
			fds[i].events |= POLLOUT;
	}
	return link->nr_handles;
}

/*
 * libnbd returns after each reply; going on until none is left saves a poll(2)
 * for each of them.
 */
static int receive(struct nbd_handle *nbd)
{
	int before;

	do {
		before = nbd_aio_in_flight(nbd);
		if (nbd_aio_notify_read(nbd) < 0)
			return -1;
	} while (nbd_aio_is_ready(nbd) == 1 && nbd_aio_in_flight(nbd) > 0 &&
		 nbd_aio_in_flight(nbd) < before);
	return 0;
}

static int dispatch_one(struct nbd_handle *nbd, short revents)
{
	unsigned int direction = nbd_aio_get_direction(nbd);

	if (revents & (POLLIN | POLLHUP | POLLERR) &&
	    direction & LIBNBD_AIO_DIRECTION_READ)
		return receive(nbd);
	if (revents & (POLLOUT | POLLHUP | POLLERR) &&
	    direction & LIBNBD_AIO_DIRECTION_WRITE)
		return nbd_aio_notify_write(nbd);
	return 0;
}

int link_dispatch(const struct link *link, const struct pollfd fds[],
		  struct err *err)
{
	for (unsigned int i = 0; i < link->nr_handles; i++) {
		struct nbd_handle *nbd = link->handles[i];

		if (dispatch_one(nbd, fds[i].revents) < 0)
			return link_fail(link, "connection lost", err);
		if (nbd_aio_is_dead(nbd) == 1 || nbd_aio_is_closed(nbd) == 1)
			return fail(err, -ECONNRESET,
				    "%s: connection lost: the server "
				    "closed it",
				    link->name);
	}
	return 0;
}
