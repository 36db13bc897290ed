/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The little of qcow2 that must be looked at without qemu: what a header
 * refers to, before qemu follows it, and which clusters are tables.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct qcow2_header {
	uint64_t size_bytes;
	uint32_t cluster_bytes;
	uint32_t nr_l1_entries;
	uint64_t l1_offset_bytes;
	bool external_data; /* reads and writes another file */
	bool encrypted;
	char backing[1024]; /* "": standalone */
};

/* -EBADMSG: not a qcow2 file, or one that no qemu makes. */
int qcow2_read_header(int fd, struct qcow2_header *ret_header);

/*
 * Gives back the space of those 4 KiB pieces of second-level tables that are
 * all zeroes: a table maps 1 GiB in 128 KiB, and scattered changes use one
 * line of each. No byte of the file reads differently afterwards. The image
 * is not open anywhere else. A file system without holes is no error.
 */
int qcow2_dig_holes(int fd, const struct qcow2_header *header);
