/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The destination as the pipeline drives it: a fixed number of requests in
 * flight, answered in any order.
 */
#pragma once

#include <poll.h>

#include "ship/link.h"
#include "ship/ship.h"

/*
 * Requests in flight. qemu-nbd works on 16 of each connection; what is beyond
 * waits in the socket at its end, and so hides the way there: 1024 blocks of
 * 4 KiB at a time are 80 MB/s over a line of 50 ms.
 */
#define DEST_MAX_REQUESTS 1024u

/* One request. Private to dest.c until dest_next_done() hands it out. */
struct dest_request {
	struct ship_dest *dest;
	uint64_t offset_bytes;
	uint64_t size_bytes;
	const void *data;             /* NULL: zeroes without payload */
	uint64_t first_seq, last_seq; /* pieces that it belongs to */
	int error;                    /* 0 or positive errno */
};

struct ship_dest {
	struct link link;
	struct dest_request requests[DEST_MAX_REQUESTS];
	struct dest_request *free[DEST_MAX_REQUESTS];
	struct dest_request *done[DEST_MAX_REQUESTS];
	unsigned int nr_free, nr_done;
	unsigned int in_flight; /* answered ones are no longer */
	unsigned int flushes;   /* unanswered */
	int flush_error;        /* 0 or positive errno */
	uint64_t answers;       /* grows with everything that arrives */
};

/* Starts @request (only what is not private counts); dest->nr_free > 0. */
int dest_send(struct ship_dest *dest, const struct dest_request *request,
	      struct err *err);

/*
 * Takes the next answered request into @ret_request. Returns false when there
 * is none.
 */
bool dest_next_done(struct ship_dest *dest, struct dest_request *ret_request);

/* Records why the answered @request failed. */
int dest_fail(const struct ship_dest *dest, const struct dest_request *request,
	      struct err *err);

/* Starts a flush on every connection; over when dest->flushes is 0. */
int dest_flush(struct ship_dest *dest, struct err *err);

/* Gives up what is in flight, and the connections with it. */
void dest_abandon(struct ship_dest *dest);
