/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The connections to one NBD export: opened together, polled together, and
 * when one is lost all are.  Used by both ends (source-nbd.c, dest.c).
 */
#pragma once

#include <libnbd.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>

#include "ship/ship.h"

#define LINK_MAX_CONNECTIONS 4

struct link {
	char *name; /* for messages: the URI, or the image behind it */
	struct nbd_handle *handles[LINK_MAX_CONNECTIONS];
	unsigned int nr_handles; /* 0: closed */
	uint64_t size_bytes;
	uint32_t max_request_bytes; /* payload that the server takes at once */
	bool can_zero;
	bool can_flush;
};

/*
 * Connects to @to. A @writable link refuses a read-only export; one for
 * reading asks for block status.
 */
int link_open(const struct ship_address *to, bool writable,
	      ship_cancel cancelled, struct link *ret_link, struct err *err);
/* No callback of a command comes after this. Does nothing when closed. */
void link_close(struct link *link);
void link_destroy(struct link *link);

/* The connection with the least to do. */
struct nbd_handle *link_least_busy(const struct link *link);

/* Fills @fds, one for each connection, and returns how many. */
unsigned int link_poll_fds(const struct link *link, struct pollfd fds[]);
/*
 * Receives and sends what poll(2) says is possible: command callbacks run
 * from here. A lost connection is an error.
 */
int link_dispatch(const struct link *link, const struct pollfd fds[],
		  struct err *err);

/* Records libnbd's last error of this thread: "NAME: what: cause". */
int link_fail(const struct link *link, const char *what, struct err *err);

/*
 * An errno that came from a server or a disk, as a return code: one that
 * means something of its own among our exit codes becomes -EIO.
 */
int foreign_errno(int error);
