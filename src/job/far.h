/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The far side of a repository on another host: `dsync-vm target` there, at
 * the other end of ssh.  One connection carries the channel of requests;
 * blocks go over further ones, which are nothing but NBD.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/cleanup.h"
#include "base/run.h"
#include "job/far-message.h"
#include "job/far-uri.h"
#include "ship/ship.h"

struct err;
struct json_object;
struct ui;

/*
 * A connection of ssh has 2 MiB on the way, which fills a line of 1 Gbit/s up
 * to 16 ms; from here on several are faster.
 */
#define FAR_LATENCY_MS 10

/* Frames of sums that were asked for and have not been looked at. */
#define FAR_MAX_KNOWN 4

struct far_known {
	uint8_t *data;
	size_t size_bytes;
};

struct far {
	char *location; /* the URI, for messages */
	struct far_uri uri;
	struct run ssh;
	int fd; /* the end of a socket that ssh has the other end of */
	struct channel *channel;
	ship_cancel cancelled;
	struct ui *ui;
	uint32_t round_trip_ms;
	bool broken; /* a call was not answered: no other one is made */
	struct far_known known[FAR_MAX_KNOWN];
	unsigned int nr_known;
};

/*
 * Connects to the far side of @location and agrees on a protocol. -EIO: there
 * is no dsync-vm, or ssh does not get there; -EOPNOTSUPP: it is too old, or
 * too new. To be closed by far_close().
 */
int far_open(const char *location, ship_cancel cancelled, struct ui *ui,
	     struct far **ret_far, struct err *err);
void far_close(struct far *far);
DEFINE_CLEANUP(struct far *, far_close);
#define _cleanup_far_ _cleanup_(cleanup_far_close)

/*
 * What a caller found in a reply, -EBADMSG if it is not what it should be:
 * that is no damage to a repository, but -EPROTO.
 */
int far_checked(const struct far *far, int r, struct err *err);

/*
 * Sends a request, which it frees, and waits for the reply; what the far side
 * has to say meanwhile is shown. A failure over there is one here.
 * @ret_reply, which may be NULL, has a blob of at most @max_blob_bytes.
 */
int far_call(struct far *far, struct json_object *request, const void *blob,
	     size_t blob_bytes, size_t max_blob_bytes,
	     struct far_message *ret_reply, struct err *err);

/* A new request; NULL: out of memory. */
struct json_object *far_request(const char *what);

/* Waits until a frame of sums is in ->known. */
int far_await_known(struct far *far, struct err *err);

/* Drops those that are. */
void far_forget_known(struct far *far);

/* One more connection, for blocks. */
struct far_line {
	struct run ssh;
};

/* Opens one that @token is let in with; returns its socket, which the caller
 * closes before he ends ->ssh. */
int far_dial(struct far *far, const char *token, struct far_line *ret_line,
	     struct err *err);
