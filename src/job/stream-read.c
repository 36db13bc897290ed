/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What comes through the pipe is believed only as far as it was checked: a
 * length before it is read, a record before it is handed out.
 */
#include <endian.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/err.h"
#include "base/io.h"
#include "job/stream.h"
#include "repo/sums-format.h"

static int get(struct stream_reader *reader, void *bytes, size_t size_bytes,
	       struct err *err)
{
	int r = io_read_full(reader->fd, bytes, size_bytes);

	if (r == -ENODATA)
		return fail(err, -EIO,
			    "the stream is not whole: it ends before its end "
			    "record");
	return r < 0 ? fail_errno(err, r, "standard input") : 0;
}

static int damaged(struct err *err, const char *why)
{
	return fail(err, -EBADMSG, "the stream is damaged: %s", why);
}

static bool is_sound(const void *bytes, size_t size_bytes,
		     const uint8_t checksum[SUM_BYTES])
{
	uint8_t sum[SUM_BYTES];

	sums_checksum(bytes, size_bytes, sum);
	return memcmp(sum, checksum, sizeof(sum)) == 0;
}

int stream_reader_begin(struct stream_reader *reader, int fd, struct err *err)
{
	struct stream_head_disk head;
	struct stream_about *about = &reader->about;
	int r;

	*reader = (struct stream_reader){
		.fd = fd,
		.buffer = malloc(sizeof(struct stream_record_disk) +
				 STREAM_MAX_BYTES),
	};
	if (!reader->buffer)
		return fail(err, -ENOMEM, "out of memory");
	r = get(reader, &head, sizeof(head), err);
	if (r < 0)
		return r;
	if (memcmp(head.magic, STREAM_MAGIC, sizeof(head.magic)) != 0)
		return fail(err, -EBADMSG,
			    "standard input: not what 'dsync-vm extract' "
			    "writes");
	if (le32toh(head.version) != STREAM_VERSION)
		return fail(err, -EOPNOTSUPP,
			    "the stream has version %u, this program reads %u; "
			    "use the same version at both ends",
			    le32toh(head.version), STREAM_VERSION);
	if (!is_sound(head.magic, sizeof(head) - sizeof(head.checksum),
		      head.checksum))
		return damaged(err, "the checksum of its head is wrong");
	about->size_bytes = le64toh(head.size_bytes);
	about->whole = le32toh(head.flags) & STREAM_WHOLE;
	memcpy(about->id, head.id, UUID_SIZE);
	about->id[UUID_SIZE - 1] = '\0';
	if (!uuid_valid(about->id) || about->size_bytes == 0 ||
	    about->size_bytes % 512 || about->size_bytes > INT64_MAX ||
	    le32toh(head.block_bytes) != STREAM_BLOCK_BYTES)
		return damaged(err, "its head makes no sense");
	return 0;
}

/* Whole blocks of the disk, behind those that were there. */
static bool is_in_place(const struct stream_reader *reader,
			const struct stream_range *range)
{
	uint64_t size_bytes = reader->about.size_bytes;
	uint64_t offset_bytes = range->offset_bytes;

	if (offset_bytes % STREAM_BLOCK_BYTES ||
	    offset_bytes < reader->end_bytes || offset_bytes >= size_bytes ||
	    range->size_bytes == 0 ||
	    range->size_bytes > size_bytes - offset_bytes)
		return false;
	return range->size_bytes % STREAM_BLOCK_BYTES == 0 ||
	       offset_bytes + range->size_bytes == size_bytes;
}

static int take_end(const struct stream_reader *reader,
		    const struct stream_range *end, struct err *err)
{
	char more;
	int r;

	if (end->offset_bytes != reader->nr_records ||
	    end->size_bytes != reader->data_bytes)
		return damaged(err, "a part of it is missing");
	r = io_read_full(reader->fd, &more, 1);
	if (r == 0)
		return damaged(err, "it goes on behind its end");
	return r == -ENODATA ? 0 : fail_errno(err, r, "standard input");
}

int stream_reader_next(struct stream_reader *reader,
		       struct stream_range *ret_range, struct err *err)
{
	struct stream_record_disk *record = (void *)reader->buffer;
	struct stream_range range = {0};
	size_t data_bytes = 0;
	uint32_t kind;
	int r = get(reader, record, sizeof(*record), err);

	if (r < 0)
		return r;
	kind = le32toh(record->kind);
	range.offset_bytes = le64toh(record->offset_bytes);
	range.size_bytes = le64toh(record->size_bytes);
	if (kind < STREAM_DATA || kind > STREAM_END)
		return damaged(err, "a record of no known kind");
	if (kind != STREAM_END && !is_in_place(reader, &range))
		return damaged(err, "a record is out of place");
	if (kind == STREAM_DATA && range.size_bytes > STREAM_MAX_BYTES)
		return damaged(err, "a record is too long");
	if (kind == STREAM_DATA) {
		range.data = (uint8_t *)(record + 1);
		data_bytes = range.size_bytes;
		r = get(reader, record + 1, data_bytes, err);
	}
	if (r < 0)
		return r;
	if (!is_sound(&record->kind,
		      sizeof(*record) - sizeof(record->checksum) + data_bytes,
		      record->checksum))
		return damaged(err, "the checksum of a record is wrong");
	if (kind == STREAM_END)
		return take_end(reader, &range, err);
	reader->nr_records++;
	reader->end_bytes = range.offset_bytes + range.size_bytes;
	reader->data_bytes += data_bytes;
	reader->zero_bytes += range.size_bytes - data_bytes;
	*ret_range = range;
	return 1;
}

void stream_reader_free(struct stream_reader *reader)
{
	free(TAKE_PTR(reader->buffer));
}
