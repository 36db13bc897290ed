/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Messages between a host and the far side of its repository, over the two
 * ends of an ssh connection.
 *
 * Each frame is a length, a type (both 32 bits, little-endian) and as many
 * bytes.  A side that has nothing to say sends a heartbeat every few seconds,
 * from a thread of its own, so that it lives for the other one whatever it is
 * doing; who hears nothing for 30 s is alone.  A network that drops packets
 * looks like that, and nothing else tells.
 *
 * What the other side sends is untrusted: a frame has at most
 * CHANNEL_FRAME_BYTES, and what is in it is for the reader to check.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/cleanup.h"
#include "ship/ship.h"

struct channel;
struct err;

#define CHANNEL_FRAME_BYTES (256u << 10)
#define CHANNEL_SILENCE_MS 30000

enum frame_type {
	FRAME_HEARTBEAT,
	FRAME_REQUEST, /* JSON, see far-message.h */
	FRAME_REPLY,   /* JSON */
	FRAME_BLOB,    /* what belongs to one of these and is no JSON */
	FRAME_NOTE,    /* a line for people, and one that is a warning */
	FRAME_WARNING,
	FRAME_ASK,    /* for more sums */
	FRAME_KNOWN,  /* sums, see far-codec.h */
	FRAME_ADD,    /* sums */
	FRAME_STDOUT, /* of a command that runs over there */
	FRAME_STDERR,
	FRAME_NR_TYPES,
};

struct frame {
	enum frame_type type;
	const uint8_t *data; /* the channel's, until it is used again */
	size_t size_bytes;
};

/*
 * A channel that reads @in_fd and writes @out_fd, which may be one; they stay
 * with the caller and stop blocking. @peer is what messages call the other
 * side. To be closed by channel_close().
 */
int channel_open(int in_fd, int out_fd, const char *peer, ship_cancel cancelled,
		 struct channel **ret_channel, struct err *err);
void channel_close(struct channel *channel);
DEFINE_CLEANUP(struct channel *, channel_close);
#define _cleanup_channel_ _cleanup_(cleanup_channel_close)

/* What a channel looks at besides. */
#define CHANNEL_MAX_WATCHES 32

/*
 * While it waits for a frame, a channel calls @look when @fd can be read.
 * @number is below CHANNEL_MAX_WATCHES; @fd -1: no longer.
 */
void channel_watch(struct channel *channel, unsigned int number, int fd,
		   void (*look)(void *opaque), void *opaque);

/*
 * Sends one frame of at most CHANNEL_FRAME_BYTES. What the other side sends
 * meanwhile is kept, so that the two never wait for one another.
 */
int channel_send(struct channel *channel, enum frame_type type,
		 const void *data, size_t size_bytes, struct err *err);

/*
 * Waits for the next frame that is no heartbeat. -ENODATA: the other side is
 * done; -ETIMEDOUT: silence; -EINTR: cancelled; -EPROTO: nonsense.
 */
int channel_receive(struct channel *channel, struct frame *ret_frame,
		    struct err *err);
