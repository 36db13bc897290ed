/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Whatever the other side of a channel says: its frames are what was sent, a
 * message and its blob are taken whole or not at all, sets and sums stay on
 * their disk, and of its words a terminal obeys only what it may.
 *
 *	1	how the rest is taken: enum way
 *	1	how many bytes arrive at a time, in sixteens; 0: all of them
 *	...	the stream; in LIST a type, a length of 2 bytes and as many
 *		bytes for each frame
 */
#include <ctype.h>
#include <endian.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/bitmap.h"
#include "base/err.h"
#include "fuzz.h"
#include "job/channel.h"
#include "job/far-codec.h"
#include "job/far-message.h"
#include "repo/json.h"

enum way { RAW, LIST, MAP, SUMS, TEXT, NR_WAYS };

#define HEADER_BYTES 8
#define MAX_STREAM_BYTES (128u << 10)
#define MAX_BLOB_BYTES 5000
#define NR_BLOCKS 5000

static void check_error(const struct err *err)
{
	promise(err->code < 0 && err->text[0]);
	for (const char *p = err->text; *p; p++)
		promise(!iscntrl((unsigned char)*p));
}

/* ---------------------------------------------------------------- words */

/* Length of the one character of UTF-8 that @text begins with; 0: none. */
static size_t character_length(const uint8_t *text, size_t left)
{
	static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
	size_t length = *text < 0x80   ? 1
			: *text < 0xc0 ? 0
			: *text < 0xe0 ? 2
			: *text < 0xf0 ? 3
			: *text < 0xf8 ? 4
				       : 0;
	uint32_t code = length > 1 ? *text & (0x7f >> length) : *text;

	if (length > left)
		return 0;
	for (size_t i = 1; i < length; i++) {
		if ((text[i] & 0xc0) != 0x80)
			return 0;
		code = code << 6 | (text[i] & 0x3f);
	}
	return length && code >= least[length] ? length : 0;
}

/* What a terminal takes for an order: one of C0 or C1. */
static bool is_control(const uint8_t *text, size_t left)
{
	if (*text < 0x20 || *text == 0x7f)
		return true;
	return *text == 0xc2 && left > 1 && text[1] >= 0x80 && text[1] < 0xa0;
}

/* "\033[", digits and semicolons, K or m. */
static size_t allowed_length(const uint8_t *text, size_t left)
{
	size_t i = 2;

	if (strchr("\n\r\t", *text) && *text)
		return 1;
	if (left < 3 || text[0] != '\033' || text[1] != '[')
		return 0;
	while (i < left && (isdigit(text[i]) || text[i] == ';'))
		i++;
	return i < left && (text[i] == 'K' || text[i] == 'm') ? i + 1 : 0;
}

/* As far.c prints it: what does not pass becomes "?". */
static void check_printed(const uint8_t *data, size_t size)
{
	_cleanup_free_ uint8_t *shown = malloc(size + 1);
	size_t used = 0, length;

	promise(shown);
	for (size_t i = 0; i < size; i += length) {
		length = far_sequence_length((const char *)data + i, size - i);
		promise(length <= size - i);
		memcpy(shown + used, length ? data + i : (uint8_t *)"?",
		       length ? length : 1);
		used += length ? length : 1;
		length += !length;
	}
	for (size_t i = 0; i < used; i += length) {
		if (is_control(shown + i, used - i))
			length = allowed_length(shown + i, used - i);
		else
			length = character_length(shown + i, used - i);
		promise(length);
	}
}

static void check_line(const uint8_t *data, size_t size)
{
	_cleanup_free_ char *text = malloc(size + 1);
	size_t before, length;

	promise(text);
	memcpy(text, data, size);
	text[size] = '\0';
	before = strlen(text);
	far_plain_text(text);
	promise(strlen(text) <= before);
	before = strlen(text);
	for (size_t i = 0; i < before; i += length) {
		const uint8_t *at = (const uint8_t *)text + i;

		promise(!is_control(at, before - i));
		length = character_length(at, before - i);
		promise(length);
	}
}

/* ------------------------------------------------------- sets and sums */

/* What was taken is sent and taken the same again. */
static void check_map(const uint8_t *data, size_t size)
{
	_cleanup_bitmap_ struct bitmap *map = bitmap_new(NR_BLOCKS);
	_cleanup_bitmap_ struct bitmap *again = bitmap_new(NR_BLOCKS);
	_cleanup_far_bytes_ struct far_bytes bytes = {0};
	struct err err = {0};
	int r = far_get_map(data, size, map, &err);

	promise(r == 0 || r == -EPROTO);
	if (r < 0)
		check_error(&err);
	promise(bitmap_count(map) <= NR_BLOCKS);
	promise(far_put_map(&bytes, map, &err) == 0);
	promise(far_get_map(bytes.data, bytes.used, again, &err) == 0);
	promise(memcmp(map->bits, again->bits, map->size_bytes) == 0);
}

/* Fills @columns, of NR_BLOCKS each. Returns as far_get_sums(). */
static int64_t take_sums(struct far_sums_in *in, uint64_t max,
			 struct sum *const columns[], struct err *err)
{
	uint64_t first = 0, at = 0, behind = in->at;
	int64_t n;

	for (;;) {
		struct sum got[FAR_MAX_COLUMNS][64];
		struct sum *const to[] = {got[0], got[1]};
		int r = far_peek_sums(in, &at, err);

		promise(r == 0 || r == 1 || r == -EPROTO);
		if (r <= 0)
			return r;
		n = far_get_sums(in, max, &first, to, err);
		promise(n == -EPROTO || (n > 0 && n <= (int64_t)max));
		if (n < 0)
			return n;
		promise(first == at && first >= behind);
		behind = first + n;
		promise(behind <= in->nr_blocks);
		for (unsigned int i = 0; i < in->nr_columns; i++)
			for (int64_t block = 0; block < n; block++) {
				promise(got[i][block].kind <= SUM_LOST);
				columns[i][first + block] = got[i][block];
			}
	}
}

static void check_sums(const uint8_t *data, size_t size,
		       unsigned int nr_columns, uint64_t max, uint64_t at)
{
	static struct sum was[FAR_MAX_COLUMNS][NR_BLOCKS];
	static struct sum is[FAR_MAX_COLUMNS][NR_BLOCKS];
	struct sum *const to[] = {was[0], was[1]};
	struct sum *const back[] = {is[0], is[1]};
	const struct sum *const from[] = {was[0], was[1]};
	struct far_sums_in in = {.data = data,
				 .size_bytes = size,
				 .nr_columns = nr_columns,
				 .nr_blocks = NR_BLOCKS,
				 .at = at};
	struct far_sums_out out = {.nr_columns = nr_columns};
	struct err err = {0};

	memset(was, 0, sizeof(was));
	memset(is, 0, sizeof(is));
	if (take_sums(&in, max, to, &err) < 0)
		check_error(&err);
	for (uint64_t block = 0; block < at; block++)
		promise(was[0][block].kind == SUM_UNKNOWN);
	promise(far_put_sums(&out, 0, NR_BLOCKS, from, &err) == 0);
	in = (struct far_sums_in){.data = out.bytes.data,
				  .size_bytes = out.bytes.used,
				  .nr_columns = nr_columns,
				  .nr_blocks = NR_BLOCKS};
	promise(take_sums(&in, 64, back, &err) == 0);
	promise(memcmp(was, is, sizeof(was)) == 0);
	far_bytes_clear(&out.bytes);
}

/* ---------------------------------------------------------- the stream */

struct stream {
	uint8_t bytes[MAX_STREAM_BYTES];
	size_t size;
	size_t at;   /* behind what was received */
	size_t sent; /* so far */
	size_t step;
	int fd; /* to send by; -1: all is sent */
};

static void send_more(void *opaque)
{
	struct stream *stream = opaque;
	size_t left = stream->size - stream->sent;
	size_t part = left < stream->step ? left : stream->step;

	if (stream->fd < 0)
		return;
	promise(send(stream->fd, stream->bytes + stream->sent, part,
		     MSG_DONTWAIT | MSG_NOSIGNAL) == (ssize_t)part);
	stream->sent += part;
	if (stream->sent < stream->size)
		return;
	shutdown(stream->fd, SHUT_WR);
	stream->fd = -1;
}

static uint32_t number_at(const uint8_t *bytes)
{
	uint32_t number;

	memcpy(&number, bytes, sizeof(number));
	return le32toh(number);
}

/* 1: a frame is next, heartbeats aside; 0: not all of it; -1: nonsense. */
static int look_ahead(struct stream *stream, uint32_t *ret_type,
		      uint32_t *ret_size)
{
	for (;;) {
		size_t left = stream->size - stream->at;

		if (left < HEADER_BYTES)
			return 0;
		*ret_size = number_at(stream->bytes + stream->at);
		*ret_type = number_at(stream->bytes + stream->at + 4);
		if (*ret_size > CHANNEL_FRAME_BYTES ||
		    *ret_type >= FRAME_NR_TYPES)
			return -1;
		if (left - HEADER_BYTES < *ret_size)
			return 0;
		if (*ret_type != FRAME_HEARTBEAT)
			return 1;
		stream->at += HEADER_BYTES + *ret_size;
	}
}

static const uint8_t *skip_frame(struct stream *stream, uint32_t size)
{
	const uint8_t *content = stream->bytes + stream->at + HEADER_BYTES;

	stream->at += HEADER_BYTES + size;
	return content;
}

static void check_frame(struct stream *stream, const struct frame *frame)
{
	uint32_t type, size;

	promise(look_ahead(stream, &type, &size) == 1);
	promise(frame->type == type && frame->size_bytes == size);
	promise(memcmp(frame->data, skip_frame(stream, size), size) == 0);
}

/* @r is how a channel ended that could not go on. */
static void check_end(struct stream *stream, int r, const struct err *err)
{
	uint32_t type, size;
	int next = look_ahead(stream, &type, &size);

	check_error(err);
	promise(next <= 0 && r == (next ? -EPROTO : -ENODATA));
}

static void check_blob(struct stream *stream, const struct far_message *message)
{
	uint32_t type, size;
	size_t done = 0;

	promise(message->blob_bytes <= MAX_BLOB_BYTES);
	while (done < message->blob_bytes) {
		promise(look_ahead(stream, &type, &size) == 1);
		promise(type == FRAME_BLOB && size <= MAX_BLOB_BYTES);
		promise(memcmp(message->blob + done, skip_frame(stream, size),
			       size) == 0);
		done += size;
	}
	promise(done == message->blob_bytes);
}

static void check_reply(const struct far_message *reply)
{
	struct err err = {0};
	int r = far_message_check(reply, "peer", &err);

	promise(r <= 0 && (r < 0 || !json_has(reply->json, "error")));
	if (r == 0)
		return;
	promise(r == -EBUSY || r == -ESTALE || r == -EBADMSG ||
		r == -EOPNOTSUPP || r == -ENOENT || r == -EREMOTEIO);
	check_error(&err);
	check_printed((const uint8_t *)err.text, strlen(err.text));
}

/* Whether the channel can go on. */
static bool take_message(struct channel *channel, struct stream *stream,
			 const struct frame *frame)
{
	_cleanup_far_message_ struct far_message message = {0};
	struct err err = {0};
	int r = far_message_take(channel, frame, MAX_BLOB_BYTES, &message,
				 &err);

	promise(r == 0 || r == -EPROTO || r == -ENODATA);
	if (r < 0) {
		check_error(&err);
		return false;
	}
	promise(message.json);
	check_blob(stream, &message);
	check_reply(&message);
	return true;
}

static bool take_frame(struct channel *channel, struct stream *stream,
		       const struct frame *frame)
{
	check_frame(stream, frame);
	switch (frame->type) {
	case FRAME_REQUEST:
	case FRAME_REPLY:
		return take_message(channel, stream, frame);
	case FRAME_NOTE:
	case FRAME_WARNING:
		check_line(frame->data, frame->size_bytes);
		return true;
	case FRAME_STDOUT:
	case FRAME_STDERR:
		check_printed(frame->data, frame->size_bytes);
		return true;
	default:
		return true;
	}
}

/* Arrives as it is received: what a channel looks at besides sends the next
 * part. */
static void run_stream(struct stream *stream)
{
	struct channel *channel;
	struct err err = {0};
	struct frame frame;
	int ends[2], r;

	promise(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) == 0);
	promise(channel_open(ends[0], ends[0], "peer", NULL, &channel, &err) ==
		0);
	stream->fd = ends[1];
	/* It can be read once it is at its end, which is when our own is. */
	shutdown(ends[0], SHUT_WR);
	channel_watch(channel, 0, ends[1], send_more, stream);
	while ((r = channel_receive(channel, &frame, &err)) == 0)
		if (!take_frame(channel, stream, &frame))
			break;
	if (r < 0)
		check_end(stream, r, &err);
	channel_close(channel);
	close(ends[0]);
	close(ends[1]);
}

/* ------------------------------------------------------------ the input */

static void put_number(struct stream *stream, uint32_t number)
{
	number = htole32(number);
	memcpy(stream->bytes + stream->size, &number, sizeof(number));
	stream->size += sizeof(number);
}

/* The last frame may be cut short, as by a line that breaks. */
static void unfold(struct stream *stream, struct input *input)
{
	while (input->left && stream->size + HEADER_BYTES < MAX_STREAM_BYTES) {
		uint8_t type = input_byte(input);
		uint16_t length = input_byte(input);
		size_t room = MAX_STREAM_BYTES - stream->size - HEADER_BYTES;
		size_t part;

		length |= input_byte(input) << 8;
		part = length < input->left ? length : input->left;
		if (part > room)
			part = room;
		put_number(stream, length);
		put_number(stream, type);
		input_bytes(input, stream->bytes + stream->size, part);
		stream->size += part;
	}
}

void fuzz_one(const uint8_t *data, size_t size)
{
	static struct stream stream;
	struct input input = {data, size};
	uint8_t way = input_byte(&input), step = input_byte(&input);

	stream.size = stream.at = stream.sent = 0;
	stream.step = step ? step * 16 : MAX_STREAM_BYTES;
	switch (way % NR_WAYS) {
	case MAP:
		check_map(input.at, input.left);
		return;
	case SUMS:
		check_sums(input.at, input.left, 1 + step % 2,
			   1 + step / 2 % 64, way);
		return;
	case TEXT:
		check_line(input.at, input.left);
		check_printed(input.at, input.left);
		return;
	case LIST:
		unfold(&stream, &input);
		break;
	default:
		stream.size = input.left < MAX_STREAM_BYTES ? input.left
							    : MAX_STREAM_BYTES;
		memcpy(stream.bytes, input.at, stream.size);
	}
	run_stream(&stream);
}
