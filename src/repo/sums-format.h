/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A file of sums, for who writes and who reads it; dsync-repo(5) describes it.
 *
 *	0	header, 4 KiB
 *	4096	pages of 64 KiB, the last one shorter
 *
 * A page has a checksum, says which blocks it is about, and holds records in
 * ascending order: blocks that follow one another and are all zeroes, or all
 * data, each with its sum.  Pages of one size are what makes a block easy to
 * find without an index, and a file worth something while it grows.
 *
 * All numbers are little-endian, unused bytes zero.
 */
#pragma once

#include <stdint.h>

#include "base/uuid.h"
#include "repo/point.h"
#include "repo/sum.h"

#define SUMS_MAGIC "dsyncsum"
#define SUMS_VERSION 1
#define SUMS_HEADER_BYTES 4096u
#define SUMS_PAGE_BYTES 65536u
#define SUMS_TARGET_SIZE 64 /* longest name of a disk, zero included */

struct sums_header_disk {
	uint8_t checksum[SUM_BYTES]; /* of all after it */
	char magic[8];
	uint32_t version;
	uint32_t block_bytes; /* SUM_BLOCK_BYTES */
	uint64_t size_bytes;  /* of the disk */
	uint64_t nr_pages;
	uint64_t nr_data, nr_zero; /* blocks */
	char repo_id[40];
	char domain_uuid[40];
	char point[POINT_SIZE];
	char backing[POINT_SIZE];
	char target[SUMS_TARGET_SIZE];
} __attribute__((packed));

struct sums_page_disk {
	uint8_t checksum[SUM_BYTES]; /* of used_bytes, without itself */
	uint64_t first_block;        /* of the first record */
	uint64_t end_block;          /* behind the last one */
	uint32_t used_bytes;         /* with this header */
	uint32_t reserved;
	uint64_t number; /* of the page, from 0 */
} __attribute__((packed));

struct sums_record_disk {
	uint64_t first_block;
	uint32_t nr_blocks;
	uint32_t kind; /* enum sum_kind; SUM_DATA: nr_blocks sums follow */
} __attribute__((packed));

_Static_assert(sizeof(struct sums_header_disk) <= SUMS_HEADER_BYTES,
	       "header is larger");

/* XXH3-128 of @size_bytes at @bytes, as all checksums in these files. */
void sums_checksum(const void *bytes, size_t size_bytes,
		   uint8_t ret_sum[SUM_BYTES]);
