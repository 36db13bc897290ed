/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the pipeline asks of a source.  Each kind is one file with one table;
 * the pipeline never asks which kind it has.
 */
#pragma once

#include <poll.h>

#include "ship/link.h"
#include "ship/ship.h"

/* Offset, size and memory alignment of O_DIRECT on every disk (4Kn too). */
#define SHIP_ALIGN 4096u

/* Reads in flight at most: enough for any disk, and some left for the guest. */
#define SHIP_MAX_READS 128u

/* One read; stays where it is, at one address, until it has ended. */
struct ship_read {
	uint64_t offset_bytes; /* multiple of SHIP_ALIGN */
	size_t size_bytes;     /* wanted; inside the source */
	uint8_t *buffer;       /* aligned; room for size rounded up */
	int result;            /* -EINPROGRESS, then 0 or negative errno */
	/* The source's own. */
	struct ship_source *source;
	size_t done_bytes;
	bool retried;
};

struct ship_source {
	const struct ship_source_ops *ops;
	char *name;
	uint64_t size_bytes;
	uint32_t max_read_bytes;  /* it takes no longer reads */
	uint32_t best_read_bytes; /* and gains nothing by longer ones */
	unsigned int in_flight;   /* questions that have not been answered */
	uint64_t answers;         /* grows with everything that arrives */
	bool abandoned;           /* by a run that failed */
};

struct ship_source_ops {
	/* Begins @read, which may end at once. An error is the source's;
	 * the read's own comes in its result. */
	int (*submit)(struct ship_source *source, struct ship_read *read,
		      struct err *err);
	/* Hands over what submit() collected. May be NULL. */
	int (*kick)(struct ship_source *source, struct err *err);
	/* Fills in at most LINK_MAX_CONNECTIONS of @fds. */
	unsigned int (*poll_fds)(struct ship_source *source,
				 struct pollfd fds[]);
	/* Ends the reads that poll(2) says have arrived. */
	int (*dispatch)(struct ship_source *source, const struct pollfd fds[],
			struct err *err);
	/*
	 * Finds out whether @offset begins a range of zeroes and how long the
	 * range of one kind is, at most @max_bytes. -EAGAIN: asked, not known
	 * yet. May be NULL: nothing is known to be zero.
	 */
	int (*extent)(struct ship_source *source, uint64_t offset_bytes,
		      uint64_t max_bytes, uint64_t *ret_bytes, bool *ret_zero);
	/* Gives up what is in flight: no struct ship_read is touched after
	 * this (a buffer may be, if in_flight is not 0 afterwards). */
	void (*abandon)(struct ship_source *source);
	void (*close)(struct ship_source *source);
};

/* A file source before it is known who reads it. */
struct file_source {
	struct ship_source base;
	int fd;
	bool direct;       /* O_DIRECT */
	struct ring *ring; /* source-uring.c; NULL: pread */
};

/*
 * Reads @file by io_uring. -ENOSYS or -EPERM (and no text in any err) where
 * the host does not offer it.
 */
int source_use_ring(struct file_source *file);

/* Takes O_DIRECT off, where the first read shows that it is refused. */
int source_go_buffered(struct file_source *file);
