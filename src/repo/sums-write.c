/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One page in memory; it is written when the next record has no room in it.
 * Neighbours join the record at the end of the page, whichever call they come
 * from, as long as the page has room.
 */
#include <endian.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "base/err.h"
#include "base/io.h"
#include "repo/sums-format.h"
#include "repo/sums.h"

struct sums_writer {
	int fd;
	char *path;
	struct sums_header_disk header;
	uint64_t nr_pages, nr_data, nr_zero;
	uint64_t end_block; /* of what was added */

	uint32_t used;   /* of the page; 0: empty */
	uint32_t record; /* offset of its last record */
	uint8_t page[SUMS_PAGE_BYTES];
};

void sums_checksum(const void *bytes, size_t size_bytes,
		   uint8_t ret_sum[SUM_BYTES])
{
	XXH128_canonical_t canonical;

	XXH128_canonicalFromHash(&canonical, XXH3_128bits(bytes, size_bytes));
	memcpy(ret_sum, canonical.digest, sizeof(canonical.digest));
}

static int check_id(const struct sums_id *id, struct err *err)
{
	if (!uuid_valid(id->repo_id) || !uuid_valid(id->domain_uuid) ||
	    !disk_target_valid(id->target) || !point_valid(id->point) ||
	    (id->backing[0] && !point_valid(id->backing)))
		return fail(err, -EINVAL, "sums of %s: no such point",
			    id->point);
	return 0;
}

static void fill_header(struct sums_header_disk *header,
			const struct sums_id *id)
{
	memcpy(header->magic, SUMS_MAGIC, sizeof(header->magic));
	header->version = htole32(SUMS_VERSION);
	header->block_bytes = htole32(SUM_BLOCK_BYTES);
	header->size_bytes = htole64(id->size_bytes);
	strcpy(header->repo_id, id->repo_id);
	strcpy(header->domain_uuid, id->domain_uuid);
	strcpy(header->target, id->target);
	strcpy(header->point, id->point);
	strcpy(header->backing, id->backing);
}

int sums_writer_open(const char *path, const struct sums_id *id,
		     struct sums_writer **ret_writer, struct err *err)
{
	_cleanup_sums_writer_ struct sums_writer *writer =
		calloc(1, sizeof(*writer));
	int r = check_id(id, err);

	if (r < 0)
		return r;
	if (!writer)
		return fail(err, -ENOMEM, "out of memory");
	writer->fd = -1;
	fill_header(&writer->header, id);
	writer->path = strdup(path);
	if (!writer->path)
		return fail(err, -ENOMEM, "out of memory");
	/* One that is finished cannot be opened by all who may remove it. */
	(void)unlink(path);
	writer->fd = open(path,
			  O_RDWR | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC,
			  0600);
	if (writer->fd < 0)
		return fail_errno(err, -errno, "%s", path);
	*ret_writer = TAKE_PTR(writer);
	return 0;
}

static int write_at(struct sums_writer *writer, const void *bytes,
		    size_t size_bytes, uint64_t offset, struct err *err)
{
	int r = io_pwrite_full(writer->fd, bytes, size_bytes, (off_t)offset);

	return r < 0 ? fail_errno(err, r, "%s", writer->path) : 0;
}

static int write_page(struct sums_writer *writer, struct err *err)
{
	struct sums_page_disk *page = (struct sums_page_disk *)writer->page;
	uint64_t offset =
		SUMS_HEADER_BYTES + writer->nr_pages * SUMS_PAGE_BYTES;
	uint32_t used = writer->used;

	if (!used)
		return 0;
	page->end_block = htole64(writer->end_block);
	page->used_bytes = htole32(used);
	page->number = htole64(writer->nr_pages);
	sums_checksum(page->checksum + SUM_BYTES, used - SUM_BYTES,
		      page->checksum);
	writer->nr_pages++;
	writer->used = 0;
	return write_at(writer, page, used, offset, err);
}

static void begin_page(struct sums_writer *writer, uint64_t first_block)
{
	struct sums_page_disk *page = (struct sums_page_disk *)writer->page;

	*page = (struct sums_page_disk){.first_block = htole64(first_block)};
	writer->used = sizeof(*page);
	writer->record = 0;
}

static struct sums_record_disk *last_record(struct sums_writer *writer)
{
	return (struct sums_record_disk *)(writer->page + writer->record);
}

/* True if block @block of @kind is the next one of the page's last record. */
static bool continues(struct sums_writer *writer, uint64_t block,
		      enum sum_kind kind)
{
	const struct sums_record_disk *record = last_record(writer);

	return writer->used && writer->record && writer->end_block == block &&
	       le32toh(record->kind) == kind &&
	       le32toh(record->nr_blocks) < UINT32_MAX;
}

/* Room for one more block: in the last record, or in a new one. */
static int make_room(struct sums_writer *writer, uint64_t block,
		     enum sum_kind kind, struct err *err)
{
	size_t sum_bytes = kind == SUM_DATA ? SUM_BYTES : 0;
	bool same = continues(writer, block, kind);
	size_t needed =
		sum_bytes + (same ? 0 : sizeof(struct sums_record_disk));
	int r = 0;

	if (writer->used + needed > SUMS_PAGE_BYTES) {
		r = write_page(writer, err);
		same = false;
	}
	if (r < 0)
		return r;
	if (!writer->used)
		begin_page(writer, block);
	if (same)
		return 0;
	writer->record = writer->used;
	writer->used += sizeof(struct sums_record_disk);
	*last_record(writer) = (struct sums_record_disk){
		.first_block = htole64(block), .kind = htole32(kind)};
	return 0;
}

static int add_block(struct sums_writer *writer, uint64_t block,
		     const struct sum *sum, struct err *err)
{
	struct sums_record_disk *record;
	int r = make_room(writer, block, sum->kind, err);

	if (r < 0)
		return r;
	record = last_record(writer);
	record->nr_blocks = htole32(le32toh(record->nr_blocks) + 1);
	writer->end_block = block + 1;
	writer->nr_zero += sum->kind == SUM_ZERO;
	if (sum->kind != SUM_DATA)
		return 0;
	memcpy(writer->page + writer->used, sum->bytes, SUM_BYTES);
	writer->used += SUM_BYTES;
	writer->nr_data++;
	return 0;
}

int sums_writer_add(struct sums_writer *writer, uint64_t first,
		    const struct sum *sums, uint64_t count, struct err *err)
{
	int r = 0;

	if (first < writer->end_block ||
	    first + count > sum_count(le64toh(writer->header.size_bytes)))
		return fail(err, -EINVAL, "%s: blocks out of order",
			    writer->path);
	for (uint64_t i = 0; i < count && r == 0; i++)
		if (sums[i].kind != SUM_UNKNOWN)
			r = add_block(writer, first + i, &sums[i], err);
	return r;
}

static int sync_file(struct sums_writer *writer, struct err *err)
{
	if (fsync(writer->fd) < 0)
		return fail_errno(err, -errno, "%s", writer->path);
	return 0;
}

/* The pages are durable before the header says that they are there. */
int sums_writer_checkpoint(struct sums_writer *writer, struct err *err)
{
	struct sums_header_disk *header = &writer->header;
	uint8_t bytes[SUMS_HEADER_BYTES] = {0};
	int r = write_page(writer, err);

	if (r == 0)
		r = sync_file(writer, err);
	if (r < 0)
		return r;
	header->nr_pages = htole64(writer->nr_pages);
	header->nr_data = htole64(writer->nr_data);
	header->nr_zero = htole64(writer->nr_zero);
	memcpy(bytes, header, sizeof(*header));
	sums_checksum(bytes + SUM_BYTES, sizeof(bytes) - SUM_BYTES, bytes);
	r = write_at(writer, bytes, sizeof(bytes), 0, err);
	return r < 0 ? r : sync_file(writer, err);
}

int sums_writer_finish(struct sums_writer *writer, struct err *err)
{
	if (fchmod(writer->fd, 0400) < 0)
		return fail_errno(err, -errno, "%s", writer->path);
	return sums_writer_checkpoint(writer, err);
}

void sums_writer_close(struct sums_writer *writer)
{
	if (!writer)
		return;
	if (writer->fd >= 0)
		close(writer->fd);
	free(writer->path);
	free(writer);
}
