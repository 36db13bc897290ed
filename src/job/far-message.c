/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A blob is read as it comes, so that its size costs nothing before it is. */
#include "job/far-message.h"

#include <ctype.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "repo/json.h"

#define MAX_TEXT_BYTES 512

void far_message_clear(struct far_message *message)
{
	json_free(TAKE_PTR(message->json));
	free(TAKE_PTR(message->blob));
}

/*
 * Length of the character that @text begins with; 0: it is none of UTF-8, or a
 * control character. U+0080 to U+009F are such, and what is no UTF-8 is one of
 * them to some terminals.
 */
static size_t character_length(const char *text, size_t size_bytes)
{
	static const uint32_t least[] = {0, 0x20, 0xa0, 0x800, 0x10000};
	uint8_t lead = *text;
	size_t length = lead < 0xc0 ? 1 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
	uint32_t code = length == 1 ? lead : lead & (0x7f >> length);

	if (length > size_bytes || lead > 0xf4 || (length == 1 && lead >= 0x7f))
		return 0;
	for (size_t i = 1; i < length; i++) {
		if (((uint8_t)text[i] & 0xc0) != 0x80)
			return 0;
		code = code << 6 | ((uint8_t)text[i] & 0x3f);
	}
	return code >= least[length] ? length : 0;
}

void far_plain_text(char *text)
{
	char *end = text + strlen(text);

	while (text < end) {
		size_t length = character_length(text, end - text);

		if (length == 0)
			*text = '?';
		text += length ? length : 1;
	}
}

size_t far_sequence_length(const char *text, size_t size_bytes)
{
	size_t i = 2;

	if (*text == '\n' || *text == '\r' || *text == '\t')
		return 1;
	if (*text != '\033')
		return character_length(text, size_bytes);
	if (size_bytes < 3 || text[1] != '[')
		return 0;
	while (i < size_bytes &&
	       (isdigit((unsigned char)text[i]) || text[i] == ';'))
		i++;
	return i < size_bytes && (text[i] == 'K' || text[i] == 'm') ? i + 1 : 0;
}

static int send_blob(struct channel *channel, const uint8_t *blob,
		     size_t blob_bytes, struct err *err)
{
	int r = 0;

	while (blob_bytes && r == 0) {
		size_t part = blob_bytes < CHANNEL_FRAME_BYTES
				      ? blob_bytes
				      : CHANNEL_FRAME_BYTES;

		r = channel_send(channel, FRAME_BLOB, blob, part, err);
		blob += part;
		blob_bytes -= part;
	}
	return r;
}

/* A path may be in no encoding; what says so must not get lost for that. */
static void make_readable(char *text)
{
	struct json_object *back = NULL;

	if (json_parse(text, strlen(text), &back, NULL) < 0)
		for (; *text; text++)
			if (*text & 0x80)
				*text = '?';
	json_free(back);
}

int far_message_send(struct channel *channel, enum frame_type type,
		     struct json_object *json, const void *blob,
		     size_t blob_bytes, struct err *err)
{
	_cleanup_json_ struct json_object *owned = json;
	_cleanup_free_ char *text = NULL;
	int r;

	if (blob_bytes)
		json_add_uint(owned, "blob", blob_bytes);
	text = owned ? json_text(owned) : NULL;
	if (!text)
		return fail(err, -ENOMEM, "out of memory");
	make_readable(text);
	if (strlen(text) > CHANNEL_FRAME_BYTES)
		return fail(err, -E2BIG, "a message is too long");
	r = channel_send(channel, type, text, strlen(text), err);
	return r < 0 ? r : send_blob(channel, blob, blob_bytes, err);
}

static int take_blob(struct channel *channel, size_t blob_bytes,
		     struct far_message *message, struct err *err)
{
	struct frame frame;
	uint8_t *more;
	int r;

	while (message->blob_bytes < blob_bytes) {
		r = channel_receive(channel, &frame, err);
		if (r < 0)
			return r;
		if (frame.type != FRAME_BLOB || !frame.size_bytes ||
		    frame.size_bytes > blob_bytes - message->blob_bytes)
			return fail(err, -EPROTO, "a message is incomplete");
		more = realloc(message->blob,
			       message->blob_bytes + frame.size_bytes);
		if (!more)
			return fail(err, -ENOMEM, "out of memory");
		memcpy(more + message->blob_bytes, frame.data,
		       frame.size_bytes);
		message->blob = more;
		message->blob_bytes += frame.size_bytes;
	}
	return 0;
}

int far_message_take(struct channel *channel, const struct frame *first,
		     size_t max_blob_bytes, struct far_message *ret_message,
		     struct err *err)
{
	struct err why = {0};
	uint64_t blob_bytes = 0;
	int r;

	*ret_message = (struct far_message){0};
	r = json_parse((const char *)first->data, first->size_bytes,
		       &ret_message->json, &why);
	if (r == 0 && json_has(ret_message->json, "blob"))
		r = json_get_uint(ret_message->json, "blob", max_blob_bytes,
				  &blob_bytes, &why);
	if (r < 0)
		return fail(err, -EPROTO, "a message is nonsense: %s",
			    why.text);
	return take_blob(channel, blob_bytes, ret_message, err);
}

struct json_object *far_message_error(const struct err *failure)
{
	struct json_object *json = json_new();
	struct json_object *error = json ? json_add_object(json, "error")
					 : NULL;

	json_add_uint(error, "errno", -failure->code);
	json_add_string(error, "text", failure->text);
	return json;
}

static int known_errno(uint64_t number)
{
	switch (number) {
	case EBUSY:
	case ESTALE:
	case EBADMSG:
	case EOPNOTSUPP:
	case ENOENT:
		return -(int)number;
	default:
		return -EREMOTEIO;
	}
}

int far_message_check(const struct far_message *reply, const char *peer,
		      struct err *err)
{
	const struct json_object *error;
	const char *text;
	char plain[MAX_TEXT_BYTES];
	uint64_t number;
	int r;

	if (!json_has(reply->json, "error"))
		return 0;
	r = json_get_object(reply->json, "error", &error, err);
	if (r == 0)
		r = json_get_uint(error, "errno", 4095, &number, err);
	if (r == 0)
		r = json_get_string(error, "text", &text, err);
	if (r < 0)
		return r;
	snprintf(plain, sizeof(plain), "%s", text);
	far_plain_text(plain);
	return fail(err, known_errno(number), "%s: %s", peer, plain);
}
