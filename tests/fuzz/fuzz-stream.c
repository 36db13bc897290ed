/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A stream of blocks hands out only what is inside the disk, in its order, and
 * is whole only as it was written.  By the first byte of the input the stream
 * is the input, the input with right checksums, or one that the writer wrote of
 * ranges in the input, with a byte changed or its end cut off.
 */
#include <endian.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/err.h"
#include "base/io.h"
#include "fuzz.h"
#include "job/stream.h"
#include "repo/sums-format.h"

#define UUID "aaaaaaaa-aaaa-4aaa-8aaa-aaaaaaaaaaaa"
#define MAX_RANGES 8
#define MAX_BLOCKS 4u

/* Returns what stream_reader_next() did in the end. */
static int read_stream(const char *path, uint64_t *ret_bytes)
{
	_cleanup_stream_reader_ struct stream_reader reader = {0};
	_cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct stream_range range;
	uint64_t end = 0;
	struct err err = {0};
	int r = stream_reader_begin(&reader, fd, &err);

	*ret_bytes = 0;
	promise(r == 0 || err.text[0]);
	if (r < 0)
		return r;
	while ((r = stream_reader_next(&reader, &range, &err)) > 0) {
		promise(range.offset_bytes >= end && range.size_bytes);
		end = range.offset_bytes + range.size_bytes;
		promise(end > range.offset_bytes &&
			end <= reader.about.size_bytes);
		promise(range.offset_bytes % STREAM_BLOCK_BYTES == 0);
		for (uint64_t i = 0; range.data && i < range.size_bytes; i++)
			*ret_bytes += range.data[i];
	}
	promise(r == 0 || err.text[0]);
	return r;
}

/* Puts the checksums of a stream right, as far as it goes. */
static void put_right(uint8_t *content, size_t size)
{
	struct stream_head_disk *head = (void *)content;
	struct stream_record_disk *record;
	size_t at = sizeof(*head), length;

	if (size < at)
		return;
	sums_checksum((uint8_t *)head->magic,
		      sizeof(*head) - sizeof(head->checksum), head->checksum);
	while (size - at >= sizeof(*record)) {
		record = (void *)(content + at);
		length = le32toh(record->kind) == STREAM_DATA
				 ? le64toh(record->size_bytes)
				 : 0;
		at += sizeof(*record);
		if (length > size - at)
			return;
		sums_checksum((uint8_t *)&record->kind,
			      sizeof(*record) - sizeof(record->checksum) +
				      length,
			      record->checksum);
		at += length;
	}
}

/* Writes ranges as the input has them; returns the sum of all their bytes. */
static uint64_t write_stream(struct input *input, int fd)
{
	const struct stream_about about = {
		.id = UUID, .size_bytes = 1 << 20, .whole = false};
	_cleanup_stream_writer_ struct stream_writer writer = {0};
	static uint8_t data[MAX_BLOCKS * STREAM_BLOCK_BYTES];
	uint64_t at = 0, bytes = 0;
	struct err err = {0};

	promise(stream_writer_begin(&writer, fd, &about, &err) == 0);
	for (int i = input_byte(input) % MAX_RANGES; i > 0; i--) {
		uint8_t how = input_byte(input), value = input_byte(input);
		uint64_t length = (how % MAX_BLOCKS + 1) * STREAM_BLOCK_BYTES;

		at += (uint64_t)(how >> 4) * STREAM_BLOCK_BYTES;
		memset(data, value, length);
		promise(stream_writer_add(&writer, at, length,
					  how & 8 ? data : NULL, &err) == 0);
		bytes += how & 8 ? value * length : 0;
		at += length;
	}
	promise(stream_writer_end(&writer, &err) == 0);
	return bytes;
}

/* Returns whether anything is. */
static bool spoil(struct input *input, int fd)
{
	off_t size = lseek(fd, 0, SEEK_END), at;
	uint8_t how = input_byte(input), byte;

	at = (input_byte(input) << 16 | input_byte(input) << 8 |
	      input_byte(input)) %
	     size;
	if (how % 4 == 0)
		return false;
	if (how % 4 == 1) {
		promise(ftruncate(fd, at) == 0);
		return true;
	}
	promise(pread(fd, &byte, 1, at) == 1);
	byte ^= how | 1;
	promise(pwrite(fd, &byte, 1, at) == 1);
	return true;
}

static void write_and_read(struct input *input)
{
	const char *path = fuzz_file("stream", "", 0);
	_cleanup_close_ int fd = open(path, O_RDWR | O_CLOEXEC);
	uint64_t written = write_stream(input, fd), read;
	bool spoilt = spoil(input, fd);
	int r = read_stream(path, &read);

	promise(spoilt ? r < 0 : r == 0 && read == written);
}

void fuzz_one(const uint8_t *data, size_t size)
{
	_cleanup_free_ uint8_t *content = NULL;
	struct input input = {data, size};
	uint8_t how = input_byte(&input) % 4;
	uint64_t bytes;

	if (how >= 2) {
		write_and_read(&input);
		return;
	}
	size = input.left;
	content = (uint8_t *)input_text(&input);
	if (how == 0)
		put_right(content, size);
	(void)read_stream(fuzz_file("stream", content, size), &bytes);
}
