/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A record is one write(2): head and content are put together first. */
#include <endian.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/err.h"
#include "base/zero.h"
#include "job/stream.h"
#include "repo/sums-format.h"

/* As io_write_full(), but whoever waits for a reader can be interrupted. */
static int put(struct stream_writer *writer, const void *bytes,
	       size_t size_bytes, struct err *err)
{
	for (size_t done = 0; done < size_bytes;) {
		ssize_t n;

		if (writer->cancelled && *writer->cancelled)
			return fail(err, -EINTR, "interrupted");
		n = write(writer->fd, (const char *)bytes + done,
			  size_bytes - done);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EPIPE)
			return fail(err, -EPIPE,
				    "what read the stream has ended before it "
				    "was over");
		if (n < 0)
			return fail_errno(err, -errno, "standard output");
		done += n;
	}
	return 0;
}

int stream_writer_begin(struct stream_writer *writer, int fd,
			const struct stream_about *about, struct err *err)
{
	struct stream_head_disk head = {
		.version = htole32(STREAM_VERSION),
		.block_bytes = htole32(STREAM_BLOCK_BYTES),
		.size_bytes = htole64(about->size_bytes),
		.flags = htole32(about->whole ? STREAM_WHOLE : 0),
	};

	*writer = (struct stream_writer){
		.fd = fd,
		.cancelled = writer->cancelled,
		.buffer = malloc(sizeof(struct stream_record_disk) +
				 STREAM_MAX_BYTES),
	};
	if (!writer->buffer)
		return fail(err, -ENOMEM, "out of memory");
	memcpy(head.magic, STREAM_MAGIC, sizeof(head.magic));
	memcpy(head.id, about->id, UUID_SIZE);
	sums_checksum(head.magic, sizeof(head) - sizeof(head.checksum),
		      head.checksum);
	return put(writer, &head, sizeof(head), err);
}

static int put_record(struct stream_writer *writer, enum stream_kind kind,
		      uint64_t offset_bytes, uint64_t size_bytes,
		      const uint8_t *data, struct err *err)
{
	struct stream_record_disk *record = (void *)writer->buffer;
	size_t data_bytes = kind == STREAM_DATA ? size_bytes : 0;

	*record = (struct stream_record_disk){
		.kind = htole32(kind),
		.offset_bytes = htole64(offset_bytes),
		.size_bytes = htole64(size_bytes),
	};
	if (data_bytes)
		memcpy(record + 1, data, data_bytes);
	sums_checksum(&record->kind,
		      sizeof(*record) - sizeof(record->checksum) + data_bytes,
		      record->checksum);
	return put(writer, record, sizeof(*record) + data_bytes, err);
}

static int add(struct stream_writer *writer, enum stream_kind kind,
	       uint64_t offset_bytes, uint64_t size_bytes, const uint8_t *data,
	       struct err *err)
{
	writer->nr_records++;
	if (kind == STREAM_DATA)
		writer->data_bytes += size_bytes;
	else
		writer->zero_bytes += size_bytes;
	return put_record(writer, kind, offset_bytes, size_bytes, data, err);
}

static size_t block_at(uint64_t at, uint64_t size_bytes)
{
	return size_bytes - at < STREAM_BLOCK_BYTES ? size_bytes - at
						    : STREAM_BLOCK_BYTES;
}

int stream_writer_add(struct stream_writer *writer, uint64_t offset_bytes,
		      uint64_t size_bytes, const uint8_t *data, struct err *err)
{
	int r = 0;

	if (!data)
		return add(writer, STREAM_ZERO, offset_bytes, size_bytes, NULL,
			   err);
	for (uint64_t at = 0, end; at < size_bytes && r == 0; at = end) {
		bool zero = is_zero(data + at, block_at(at, size_bytes));

		end = at;
		do
			end += block_at(end, size_bytes);
		while (end < size_bytes && end - at < STREAM_MAX_BYTES &&
		       is_zero(data + end, block_at(end, size_bytes)) == zero);
		r = add(writer, zero ? STREAM_ZERO : STREAM_DATA,
			offset_bytes + at, end - at, data + at, err);
	}
	return r;
}

int stream_writer_end(struct stream_writer *writer, struct err *err)
{
	return put_record(writer, STREAM_END, writer->nr_records,
			  writer->data_bytes, NULL, err);
}

void stream_writer_free(struct stream_writer *writer)
{
	free(TAKE_PTR(writer->buffer));
}
