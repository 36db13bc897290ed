/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Requests and replies on a channel: a JSON object, and what is no JSON, its
 * blob, behind it.  "blob" in the object is how many bytes that has.
 *
 *	{"do": "begin", "now": 1767225599}
 *	{"point": "20251231T235959Z"}
 *	{"error": {"errno": 16, "text": "..."}}
 *
 * What they all are is in serve.c.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "job/channel.h"

struct json_object;

/* Changed with everything that the other side must know of. */
#define FAR_PROTOCOL 1

struct far_message {
	struct json_object *json;
	uint8_t *blob;
	size_t blob_bytes;
};

void far_message_clear(struct far_message *message);
#define _cleanup_far_message_ _cleanup_(far_message_clear)

/* Sends @json, which it frees, and @blob. */
int far_message_send(struct channel *channel, enum frame_type type,
		     struct json_object *json, const void *blob,
		     size_t blob_bytes, struct err *err);

/*
 * Takes a message whose first frame was received; its blob has at most
 * @max_blob_bytes. -EPROTO.
 */
int far_message_take(struct channel *channel, const struct frame *first,
		     size_t max_blob_bytes, struct far_message *ret_message,
		     struct err *err);

/* A reply that says what @failure says. */
struct json_object *far_message_error(const struct err *failure);

/*
 * The failure that @reply says, if it does, as one of @peer's. Only errors that
 * have an exit code of their own keep their number.
 */
int far_message_check(const struct far_message *reply, const char *peer,
		      struct err *err);

/* Text of the other side, made a line that may be shown: control characters,
 * and what is no UTF-8, become "?". */
void far_plain_text(char *text);

/*
 * Of @text, which is to be printed on a terminal: how many bytes from its
 * beginning are one harmless character, or a sequence that erases a line or
 * sets colours. 0: it begins with something else.
 */
size_t far_sequence_length(const char *text, size_t size_bytes);
