/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * An NBD export as a source.  The server's block status is asked for a window
 * of 1 GiB at a time, asynchronously, so that a restore of a sparse image
 * reads what is there and nothing else.  A server that cannot tell, or fails
 * to, has no zeroes: everything is read.
 */
#include <string.h>

#include "base/err.h"
#include "ship/source.h"

#define WINDOW_BYTES (UINT64_C(1) << 30)
/* qemu-nbd takes fresh memory for each request: with 1 MiB, clearing its pages
 * costs half as much again as all the rest of reading a cached image. */
#define BEST_READ_BYTES (256u << 10)
/* One window's extents at most; beyond, the window ends earlier. */
#define MAX_EXTENTS (128u << 10)

struct extent {
	uint64_t end;
	bool zero;
};

struct nbd_source {
	struct ship_source base;
	struct link link;

	bool has_extents; /* the server tells */
	bool asking;      /* a window is on its way */
	uint64_t start;   /* of the window */
	struct extent *extents;
	size_t nr_extents, room, hint; /* hint: where the last search ended */
};

static struct nbd_source *nbd_of(struct ship_source *source)
{
	return (struct nbd_source *)source;
}

static int read_ended(void *opaque, int *error)
{
	struct ship_read *read = opaque;

	read->result = *error ? -*error : 0;
	read->source->in_flight--;
	read->source->answers++;
	return 1;
}

static int nbd_submit(struct ship_source *source, struct ship_read *read,
		      struct err *err)
{
	struct link *link = &nbd_of(source)->link;
	nbd_completion_callback ended = {.callback = read_ended,
					 .user_data = read};

	read->source = source;
	source->in_flight++;
	if (nbd_aio_pread(link_least_busy(link), read->buffer, read->size_bytes,
			  read->offset_bytes, ended, 0) < 0) {
		source->in_flight--;
		return link_fail(link, "read", err);
	}
	return 0;
}

static unsigned int nbd_poll_fds(struct ship_source *source,
				 struct pollfd fds[])
{
	return link_poll_fds(&nbd_of(source)->link, fds);
}

static int nbd_dispatch(struct ship_source *source, const struct pollfd fds[],
			struct err *err)
{
	return link_dispatch(&nbd_of(source)->link, fds, err);
}

static int add_extent(struct nbd_source *nbd, uint64_t end, bool zero)
{
	if (nbd->nr_extents == nbd->room) {
		size_t room = nbd->room ? nbd->room * 2 : 256;
		struct extent *bigger =
			realloc(nbd->extents, room * sizeof(*nbd->extents));

		if (!bigger)
			return -ENOMEM;
		nbd->extents = bigger;
		nbd->room = room;
	}
	nbd->extents[nbd->nr_extents++] =
		(struct extent){.end = end, .zero = zero};
	return 0;
}

static int extents_came(void *opaque, const char *context, uint64_t offset,
			uint32_t *entries, size_t nr_entries, int *error)
{
	struct nbd_source *nbd = opaque;

	if (strcmp(context, LIBNBD_CONTEXT_BASE_ALLOCATION) != 0)
		return 0;
	for (size_t i = 0; i + 1 < nr_entries; i += 2) {
		offset += entries[i];
		if (nbd->nr_extents == MAX_EXTENTS)
			break;
		if (add_extent(nbd, offset,
			       entries[i + 1] & LIBNBD_STATE_ZERO) < 0)
			break;
	}
	return 0;
}

static int window_ended(void *opaque, int *error)
{
	struct nbd_source *nbd = opaque;

	nbd->asking = false;
	nbd->base.in_flight--;
	nbd->base.answers++;
	if (*error || nbd->nr_extents == 0 ||
	    nbd->extents[nbd->nr_extents - 1].end <= nbd->start)
		nbd->has_extents = false;
	return 1;
}

static int ask_window(struct nbd_source *nbd, uint64_t offset_bytes)
{
	uint64_t left = nbd->base.size_bytes - offset_bytes;
	nbd_extent_callback extents = {.callback = extents_came,
				       .user_data = nbd};
	nbd_completion_callback ended = {.callback = window_ended,
					 .user_data = nbd};

	nbd->start = offset_bytes;
	nbd->nr_extents = nbd->hint = 0;
	nbd->asking = true;
	nbd->base.in_flight++;
	if (nbd_aio_block_status(link_least_busy(&nbd->link),
				 left < WINDOW_BYTES ? left : WINDOW_BYTES,
				 offset_bytes, extents, ended, 0) < 0) {
		nbd->asking = nbd->has_extents = false;
		nbd->base.in_flight--;
	}
	return -EAGAIN;
}

/* The extent of the window that @offset lies in, NULL: outside. */
static const struct extent *find_extent(struct nbd_source *nbd, uint64_t offset)
{
	if (offset < nbd->start)
		return NULL;
	if (nbd->hint && nbd->extents[nbd->hint - 1].end > offset)
		nbd->hint = 0;
	while (nbd->hint < nbd->nr_extents) {
		if (nbd->extents[nbd->hint].end > offset)
			return &nbd->extents[nbd->hint];
		nbd->hint++;
	}
	return NULL;
}

static int nbd_extent(struct ship_source *source, uint64_t offset_bytes,
		      uint64_t max_bytes, uint64_t *ret_bytes, bool *ret_zero)
{
	struct nbd_source *nbd = nbd_of(source);
	const struct extent *extent;

	*ret_bytes = max_bytes;
	*ret_zero = false;
	if (!nbd->has_extents)
		return 0;
	if (nbd->asking)
		return -EAGAIN;
	extent = find_extent(nbd, offset_bytes);
	if (!extent)
		return ask_window(nbd, offset_bytes);
	*ret_zero = extent->zero;
	if (extent->end - offset_bytes < max_bytes)
		*ret_bytes = extent->end - offset_bytes;
	return 0;
}

static void nbd_abandon(struct ship_source *source)
{
	link_close(&nbd_of(source)->link);
	source->in_flight = 0;
}

static void nbd_source_close(struct ship_source *source)
{
	struct nbd_source *nbd = nbd_of(source);

	link_destroy(&nbd->link);
	free(nbd->extents);
	free(source->name);
	free(nbd);
}

static const struct ship_source_ops nbd_ops = {
	.submit = nbd_submit,
	.poll_fds = nbd_poll_fds,
	.dispatch = nbd_dispatch,
	.extent = nbd_extent,
	.abandon = nbd_abandon,
	.close = nbd_source_close,
};

int ship_source_open_at(const struct ship_address *address,
			ship_cancel cancelled, struct ship_source **ret_source,
			struct err *err)
{
	_cleanup_source_ struct ship_source *source = NULL;
	struct nbd_source *nbd = calloc(1, sizeof(*nbd));
	int r;

	if (!nbd)
		return fail(err, -ENOMEM, "%s: out of memory", address->name);
	source = &nbd->base;
	source->ops = &nbd_ops;
	source->name = strdup(address->name);
	if (!source->name)
		return fail(err, -ENOMEM, "%s: out of memory", address->name);
	r = link_open(address, false, cancelled, &nbd->link, err);
	if (r < 0)
		return r;
	source->size_bytes = nbd->link.size_bytes;
	source->max_read_bytes = nbd->link.max_request_bytes;
	source->best_read_bytes = BEST_READ_BYTES;
	nbd->has_extents =
		nbd_can_meta_context(nbd->link.handles[0],
				     LIBNBD_CONTEXT_BASE_ALLOCATION) == 1;
	*ret_source = TAKE_PTR(source);
	return 0;
}

int ship_source_open_nbd(const char *uri, ship_cancel cancelled,
			 struct ship_source **ret_source, struct err *err)
{
	const struct ship_address address = {.name = uri, .uri = uri};

	return ship_source_open_at(&address, cancelled, ret_source, err);
}
