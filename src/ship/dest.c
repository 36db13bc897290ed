/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Zeroes go as WRITE_ZEROES and never as TRIM, which a server may ignore.
 * Without further flags the server may punch holes, but what it answers must
 * read as zeroes.
 *
 * The callbacks of libnbd may come from inside any call into it, so they only
 * move a request from one list to another.
 */
#include "ship/dest.h"

#include <string.h>

#include "base/err.h"

static int request_ended(void *opaque, int *error)
{
	struct dest_request *request = opaque;
	struct ship_dest *dest = request->dest;

	request->error = *error;
	dest->in_flight--;
	dest->answers++;
	dest->done[dest->nr_done++] = request;
	return 1;
}

static int flush_ended(void *opaque, int *error)
{
	struct ship_dest *dest = opaque;

	if (*error)
		dest->flush_error = *error;
	dest->flushes--;
	dest->answers++;
	return 1;
}

int dest_send(struct ship_dest *dest, const struct dest_request *request,
	      struct err *err)
{
	struct dest_request *slot = dest->free[--dest->nr_free];
	struct nbd_handle *nbd = link_least_busy(&dest->link);
	nbd_completion_callback ended = {.callback = request_ended,
					 .user_data = slot};
	int64_t cookie;

	*slot = *request;
	slot->dest = dest;
	slot->error = 0;
	dest->in_flight++;
	if (slot->data)
		cookie = nbd_aio_pwrite(nbd, slot->data, slot->size_bytes,
					slot->offset_bytes, ended, 0);
	else
		cookie = nbd_aio_zero(nbd, slot->size_bytes, slot->offset_bytes,
				      ended, 0);
	if (cookie >= 0)
		return 0;
	/* Not queued: the callback will not come. */
	dest->in_flight--;
	dest->free[dest->nr_free++] = slot;
	return link_fail(&dest->link, request->data ? "write" : "zeroing", err);
}

bool dest_next_done(struct ship_dest *dest, struct dest_request *ret_request)
{
	struct dest_request *request;

	if (dest->nr_done == 0)
		return false;
	request = dest->done[--dest->nr_done];
	*ret_request = *request;
	dest->free[dest->nr_free++] = request;
	return true;
}

int dest_fail(const struct ship_dest *dest, const struct dest_request *request,
	      struct err *err)
{
	return fail(err, foreign_errno(request->error),
		    "%s: %s of %llu bytes at %llu: %s", dest->link.name,
		    request->data ? "write" : "zeroing",
		    (unsigned long long)request->size_bytes,
		    (unsigned long long)request->offset_bytes,
		    strerror(request->error));
}

/*
 * With multi-conn one flush would do.  It is one request each, and it is what
 * all the rest relies on.
 */
int dest_flush(struct ship_dest *dest, struct err *err)
{
	nbd_completion_callback ended = {.callback = flush_ended,
					 .user_data = dest};

	for (unsigned int i = 0; i < dest->link.nr_handles; i++) {
		dest->flushes++;
		if (nbd_aio_flush(dest->link.handles[i], ended, 0) < 0)
			return link_fail(&dest->link, "flush", err);
	}
	return 0;
}

void dest_abandon(struct ship_dest *dest)
{
	link_close(&dest->link);
	dest->in_flight = dest->flushes = 0;
}

int ship_dest_open_at(const struct ship_address *address, ship_cancel cancelled,
		      struct ship_dest **ret_dest, struct err *err)
{
	_cleanup_free_ struct ship_dest *dest = calloc(1, sizeof(*dest));
	int r;

	if (!dest)
		return fail(err, -ENOMEM, "%s: out of memory", address->name);
	r = link_open(address, true, cancelled, &dest->link, err);
	if (r < 0)
		return r;
	while (dest->nr_free < DEST_MAX_REQUESTS) {
		dest->free[dest->nr_free] = &dest->requests[dest->nr_free];
		dest->nr_free++;
	}
	*ret_dest = TAKE_PTR(dest);
	return 0;
}

int ship_dest_open(const char *uri, ship_cancel cancelled,
		   struct ship_dest **ret_dest, struct err *err)
{
	const struct ship_address address = {.name = uri, .uri = uri};

	return ship_dest_open_at(&address, cancelled, ret_dest, err);
}

uint64_t ship_dest_size_bytes(const struct ship_dest *dest)
{
	return dest->link.size_bytes;
}

unsigned int ship_dest_connections(const struct ship_dest *dest)
{
	return dest->link.nr_handles;
}

void ship_dest_close(struct ship_dest *dest)
{
	if (!dest)
		return;
	link_destroy(&dest->link);
	free(dest);
}
