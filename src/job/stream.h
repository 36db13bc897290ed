/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Blocks of a disk on their way through a pipe, from dsync-vm extract to
 * dsync-vm merge:
 *
 *	head	what disk, which blocks
 *	record	a range and its content, or a range of zeroes; ascending
 *	...
 *	end	how many records and bytes there were: now it is whole
 *
 * A pipe can end anywhere and says nothing of why, so a stream is whole only
 * with its end record.  Each record has a checksum over its range and its
 * content: what merge writes is what extract read, where it was read.
 *
 * All numbers are little-endian, unused bytes zero.  Ranges are multiples of
 * STREAM_BLOCK_BYTES, but for the end of the disk.
 */
#pragma once

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/uuid.h"
#include "repo/sum.h"

struct err;

#define STREAM_BLOCK_BYTES 4096u
/* Longest content of a record; a range of zeroes may be the whole disk. */
#define STREAM_MAX_BYTES (1u << 20)

/* What a stream says of itself. */
struct stream_about {
	char id[UUID_SIZE];  /* its own, of a disk the epoch it was cut at */
	uint64_t size_bytes; /* of the disk */
	bool whole;          /* has every block of the disk */
};

/* ---------------------------------------------------------------- writing */

struct stream_writer {
	int fd;
	/* Ends a write that waits with -EINTR; may be NULL. */
	const volatile sig_atomic_t *cancelled;
	uint64_t nr_records;
	uint64_t data_bytes, zero_bytes;
	uint8_t *buffer; /* a record and its content */
};

/*
 * Begins a stream on the pipe @fd, which stays the caller's. To be freed by
 * stream_writer_free() in any case.
 */
int stream_writer_begin(struct stream_writer *writer, int fd,
			const struct stream_about *about, struct err *err);

/*
 * Adds the range at @offset_bytes, behind all that was added before. @data
 * NULL: zeroes; also in @data they go without content.
 */
int stream_writer_add(struct stream_writer *writer, uint64_t offset_bytes,
		      uint64_t size_bytes, const uint8_t *data,
		      struct err *err);

/* Nothing is missing: says so. */
int stream_writer_end(struct stream_writer *writer, struct err *err);

void stream_writer_free(struct stream_writer *writer);
#define _cleanup_stream_writer_ _cleanup_(stream_writer_free)

/* ---------------------------------------------------------------- reading */

struct stream_reader {
	int fd;
	struct stream_about about;
	uint64_t end_bytes; /* behind the last record */
	uint64_t nr_records;
	uint64_t data_bytes, zero_bytes;
	uint8_t *buffer;
};

struct stream_range {
	uint64_t offset_bytes, size_bytes; /* inside the disk */
	const uint8_t *data; /* until the next call; NULL: zeroes */
};

/*
 * Reads the head of the stream in @fd into ->about. To be freed by
 * stream_reader_free() in any case. -EIO: it ends too early; -EBADMSG: it is
 * no stream, or a damaged one.
 */
int stream_reader_begin(struct stream_reader *reader, int fd, struct err *err);

/* 1: the next range; 0: that was all, the stream was whole and ended. */
int stream_reader_next(struct stream_reader *reader,
		       struct stream_range *ret_range, struct err *err);

void stream_reader_free(struct stream_reader *reader);
#define _cleanup_stream_reader_ _cleanup_(stream_reader_free)

/* ------------------------------------------------------------- the format */

#define STREAM_MAGIC "dsyncxtr"
#define STREAM_VERSION 1
#define STREAM_WHOLE 1u /* flag */

enum stream_kind { STREAM_DATA = 1, STREAM_ZERO = 2, STREAM_END = 3 };

struct stream_head_disk {
	uint8_t checksum[SUM_BYTES]; /* of all after it */
	char magic[8];
	uint32_t version;
	uint32_t block_bytes; /* STREAM_BLOCK_BYTES */
	uint64_t size_bytes;
	char id[40];
	uint32_t flags;
	uint32_t reserved;
} __attribute__((packed));

struct stream_record_disk {
	uint8_t checksum[SUM_BYTES]; /* of all after it, with the content */
	uint32_t kind;               /* enum stream_kind */
	uint32_t reserved;
	uint64_t offset_bytes; /* STREAM_END: the number of records before */
	uint64_t size_bytes;   /* STREAM_END: bytes of content before */
} __attribute__((packed));
