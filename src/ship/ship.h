/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Shipping: bring the blocks of a map from a source to a destination of the
 * same size.
 *
 * A source is read and a destination is written with many requests in flight,
 * by one thread that waits in one poll(2).  Sources are files, block devices
 * and NBD exports; the destination is always an NBD export, because that is
 * what every image format, every transport and every storage can be reached
 * through (server.h makes one out of an image on this host).
 *
 * All functions leave one line in struct err; nothing is printed here.  The
 * process must ignore SIGPIPE.
 */
#pragma once

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/cleanup.h"

struct bitmap;
struct err;
struct pace;
struct ship_dest;
struct ship_source;

/* How to reach a server, and what messages call it. */
struct ship_address {
	const char *name;
	const char *uri; /* or, where none leads to it, NULL, and: */
	/* Returns a new connected socket. May take its time. */
	int (*dial)(void *opaque, struct err *err);
	void *opaque;
	unsigned int max_connections; /* 0: as many as are of use */
};

/* Set from a signal handler to end a call early with -EINTR. May be NULL. */
typedef const volatile sig_atomic_t *ship_cancel;

/*
 * Opens the file or block device @path for reading past the page cache
 * (through it where O_DIRECT is refused). Its size must be a multiple of 512
 * (else -EOPNOTSUPP).
 */
int ship_source_open_file(const char *path, struct ship_source **ret_source,
			  struct err *err);

/*
 * Opens an NBD export for reading: nbd://, nbds://, nbd+unix:// or
 * nbds+unix:// (see nbd_connect_uri(3) for names, TLS and passwords). What the
 * server reports as zeroes is not transferred.
 */
int ship_source_open_nbd(const char *uri, ship_cancel cancelled,
			 struct ship_source **ret_source, struct err *err);
int ship_source_open_at(const struct ship_address *address,
			ship_cancel cancelled, struct ship_source **ret_source,
			struct err *err);

uint64_t ship_source_size_bytes(const struct ship_source *source);
void ship_source_close(struct ship_source *source);
DEFINE_CLEANUP(struct ship_source *, ship_source_close);
#define _cleanup_source_ _cleanup_(cleanup_ship_source_close)

/*
 * Opens an NBD export for writing, over up to four connections if the server
 * says that several are one (multi-conn), else over one. A server that does
 * not answer for 30 s is -ETIMEDOUT; a read-only export is -EROFS.
 */
int ship_dest_open(const char *uri, ship_cancel cancelled,
		   struct ship_dest **ret_dest, struct err *err);
int ship_dest_open_at(const struct ship_address *address, ship_cancel cancelled,
		      struct ship_dest **ret_dest, struct err *err);

uint64_t ship_dest_size_bytes(const struct ship_dest *dest);
unsigned int ship_dest_connections(const struct ship_dest *dest);
void ship_dest_close(struct ship_dest *dest);
DEFINE_CLEANUP(struct ship_dest *, ship_dest_close);
#define _cleanup_dest_ _cleanup_(cleanup_ship_dest_close)

/* What a run did, and what it has to do. Always consistent. */
struct ship_counts {
	uint64_t blocks;      /* to be dealt with in this run */
	uint64_t done_blocks; /* dealt with: acknowledged or skipped */
	uint64_t read_bytes;  /* read from the source */
	uint64_t sent_bytes;  /* written with payload, and acknowledged */
	uint64_t zero_bytes;  /* zeroes, sent without payload or not at all */
	uint64_t skip_bytes;  /* skipped at the word of examine() */
	uint64_t writes;      /* WRITE requests acknowledged */
	uint64_t zero_writes; /* WRITE_ZEROES requests acknowledged */
	bool flushed;         /* the server has confirmed a final flush */
};

/* Longest range that examine() sees at once, and what it decides about. */
#define SHIP_EXAMINE_BYTES (32u << 20)
#define SHIP_UNIT_BYTES 4096u
#define SHIP_EXAMINE_UNITS (SHIP_EXAMINE_BYTES / SHIP_UNIT_BYTES)

struct ship_job {
	/* Which blocks, block 0 at offset 0; NULL: all of them. */
	const struct bitmap *map;
	/* Power of two from 4096 to 1 MiB; the last block may be short. */
	uint32_t block_bytes;
	/* Only [first_block, first_block + nr_blocks); nr_blocks 0: to the
	 * end. Whoever wants durable steps ships window after window. */
	uint64_t first_block, nr_blocks;
	/* Zeroes need not be written: the destination is known to be zero
	 * wherever the map says anything. */
	bool dest_is_zero;
	/* No answer from source or destination for so long is -ETIMEDOUT;
	 * the final flush, which may have a whole page cache to write out, has
	 * ten times as long. 0: wait for ever. */
	unsigned int stall_ms;
	/* How fast payload may go to the destination; NULL: as it will. Shared
	 * with the runs before and after this one. */
	struct pace *pace;
	ship_cancel cancelled;

	void *opaque; /* for the callbacks, each of which may be NULL */
	/*
	 * Shows the content that was read, before and exactly as it is sent,
	 * in ascending order and whole blocks, counted in units of 4 KiB
	 * whatever a block is. @data is NULL for a range known to be zero
	 * without reading it. Setting skip[i] keeps unit @first_unit + i from
	 * being sent. An error ends the run.
	 */
	int (*examine)(void *opaque, uint64_t first_unit, uint64_t nr_units,
		       const uint8_t *data, bool skip[], struct err *err);
	/* These units could not be read, positive errno @error: they are dealt
	 * with, and the run goes on. NULL: that ends the run. */
	int (*unreadable)(void *opaque, uint64_t first_unit, uint64_t nr_units,
			  int error, struct err *err);
	/* These blocks were acknowledged (not flushed yet), or skipped. In no
	 * order, each block once. */
	void (*acked)(void *opaque, uint64_t first_block, uint64_t count);
	/* About ten times a second, and at the end. */
	void (*progress)(void *opaque, const struct ship_counts *counts);
};

/*
 * Ships. With @dest NULL the blocks are only read and examined. Success means
 * that every block of the map was acknowledged and then flushed (but see
 * counts->flushed: some servers cannot flush). @ret_counts is set also on
 * failure.
 *
 * -ESTALE: the sizes differ; -EINVAL: @job makes no sense for this disk;
 * -EINTR: cancelled; -ETIMEDOUT: stalled; any other: source or destination
 * failed. After a failure neither @source nor @dest can be used again except
 * to close it.
 */
int ship_run(struct ship_source *source, struct ship_dest *dest,
	     const struct ship_job *job, struct ship_counts *ret_counts,
	     struct err *err);
