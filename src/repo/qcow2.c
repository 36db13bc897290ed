/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Layout: docs/interop/qcow2.txt of qemu. All fields are big-endian. */
#include "repo/qcow2.h"

#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/io.h"
#include "base/zero.h"

#define MAGIC 0x514649fbu /* "QFI\xfb" */
#define MIN_CLUSTER_BITS 9
#define MAX_CLUSTER_BITS 21
#define MAX_L1_BYTES (32u << 20)
#define OFFSET_MASK UINT64_C(0x00fffffffffffe00)
#define INCOMPATIBLE_EXTERNAL_DATA UINT64_C(4)
#define PIECE_BYTES 4096

struct header_disk {
	uint32_t magic;
	uint32_t version;
	uint64_t backing_offset;
	uint32_t backing_size;
	uint32_t cluster_bits;
	uint64_t size;
	uint32_t crypt_method;
	uint32_t l1_size;
	uint64_t l1_offset;
	uint64_t refcount_offset;
	uint32_t refcount_clusters;
	uint32_t nr_snapshots;
	uint64_t snapshots_offset;
	uint64_t incompatible_features;
} __attribute__((packed));

static int read_backing(int fd, const struct header_disk *disk,
			struct qcow2_header *header)
{
	uint32_t size = be32toh(disk->backing_size);
	uint64_t offset = be64toh(disk->backing_offset);

	if (!offset)
		return 0;
	if (size >= sizeof(header->backing) || offset > 1u << MAX_CLUSTER_BITS)
		return -EBADMSG;
	if (io_pread_full(fd, header->backing, size, (off_t)offset) < 0)
		return -EBADMSG;
	return strlen(header->backing) == size ? 0 : -EBADMSG;
}

int qcow2_read_header(int fd, struct qcow2_header *ret_header)
{
	struct qcow2_header header = {0};
	struct header_disk disk;
	uint32_t bits;
	int r = io_pread_full(fd, &disk, sizeof(disk), 0);

	if (r < 0)
		return r == -ENODATA ? -EBADMSG : r;
	bits = be32toh(disk.cluster_bits);
	if (be32toh(disk.magic) != MAGIC || be32toh(disk.version) != 3 ||
	    bits < MIN_CLUSTER_BITS || bits > MAX_CLUSTER_BITS ||
	    be32toh(disk.l1_size) > MAX_L1_BYTES / sizeof(uint64_t))
		return -EBADMSG;
	header.size_bytes = be64toh(disk.size);
	header.cluster_bytes = 1u << bits;
	header.nr_l1_entries = be32toh(disk.l1_size);
	header.l1_offset_bytes = be64toh(disk.l1_offset);
	header.external_data = be64toh(disk.incompatible_features) &
			       INCOMPATIBLE_EXTERNAL_DATA;
	header.encrypted = disk.crypt_method != 0;
	r = read_backing(fd, &disk, &header);
	if (r == 0)
		*ret_header = header;
	return r;
}

/* Digs out the zero pieces of the table at @offset, neighbours in one go. */
static int dig_table(int fd, uint64_t offset, uint8_t *table,
		     uint32_t table_bytes)
{
	uint32_t hole = 0; /* bytes, ending at the piece looked at */
	int r = io_pread_full(fd, table, table_bytes, (off_t)offset);

	if (r < 0)
		return r;
	for (uint32_t at = 0; at <= table_bytes; at += PIECE_BYTES) {
		if (at < table_bytes && is_zero(table + at, PIECE_BYTES)) {
			hole += PIECE_BYTES;
			continue;
		}
		if (hole &&
		    fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
			      (off_t)(offset + at - hole), hole) < 0)
			return -errno;
		hole = 0;
	}
	return 0;
}

/* A header may promise any table; one that the file has not is not made room
 * for. */
static int read_l1(int fd, const struct qcow2_header *header, uint64_t **ret_l1)
{
	size_t l1_bytes = header->nr_l1_entries * sizeof(uint64_t);
	_cleanup_free_ uint64_t *l1 = NULL;
	uint64_t size_bytes;
	int r = io_size_bytes(fd, &size_bytes);

	if (r < 0)
		return r;
	if (l1_bytes > size_bytes)
		return -EBADMSG;
	l1 = malloc(l1_bytes + 1);
	if (!l1)
		return -ENOMEM;
	r = io_pread_full(fd, l1, l1_bytes, (off_t)header->l1_offset_bytes);
	if (r == 0)
		*ret_l1 = TAKE_PTR(l1);
	return r;
}

int qcow2_dig_holes(int fd, const struct qcow2_header *header)
{
	_cleanup_free_ uint64_t *l1 = NULL;
	_cleanup_free_ uint8_t *table = NULL;
	int r;

	if (header->cluster_bytes < PIECE_BYTES)
		return 0;
	r = read_l1(fd, header, &l1);
	table = malloc(header->cluster_bytes);
	if (r == 0 && !table)
		r = -ENOMEM;
	for (uint32_t i = 0; r == 0 && i < header->nr_l1_entries; i++) {
		uint64_t offset = be64toh(l1[i]) & OFFSET_MASK;

		if (offset)
			r = dig_table(fd, offset, table, header->cluster_bytes);
	}
	return r == -EOPNOTSUPP ? 0 : r;
}
