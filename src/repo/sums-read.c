/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One page in memory, and a place in it: what is asked in ascending order
 * costs one pass over the file, anything else a search among the pages, whose
 * headers say what they are about.
 *
 * A file may come from anywhere.  A page counts only if its checksum is right
 * and its records are in order, inside the page and inside the disk.
 */
#include <endian.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "base/err.h"
#include "base/io.h"
#include "repo/sums-format.h"
#include "repo/sums.h"

struct record {
	uint64_t first_block, nr_blocks;
	enum sum_kind kind;
	const uint8_t *sums;
};

struct sums {
	int fd;
	char *path;
	uint64_t nr_blocks; /* of the disk */
	uint64_t nr_pages, nr_data;
	char backing[POINT_SIZE];

	uint64_t page;         /* loaded; nr_pages: none */
	uint32_t at, next;     /* offsets of the record, and of the next one */
	struct record record;  /* at ->at; ->at 0: before the first one */
	uint64_t from;         /* nothing between this block and the record */
	uint64_t nothing_from; /* nor at or behind this one */
	uint8_t buffer[SUMS_PAGE_BYTES];
};

static int damaged(const struct sums *file, const char *what, struct err *err)
{
	return fail(err, -EBADMSG, "%s: damaged: %s", file->path, what);
}

static bool text_is(const char *field, size_t field_bytes, const char *text)
{
	return strnlen(field, field_bytes) < field_bytes &&
	       strcasecmp(field, text) == 0;
}

static bool is_about(const struct sums_header_disk *header,
		     const struct sums_id *id)
{
	return text_is(header->repo_id, sizeof(header->repo_id), id->repo_id) &&
	       text_is(header->domain_uuid, sizeof(header->domain_uuid),
		       id->domain_uuid) &&
	       text_is(header->target, sizeof(header->target), id->target) &&
	       text_is(header->point, sizeof(header->point), id->point) &&
	       le64toh(header->size_bytes) == id->size_bytes;
}

static int read_header(struct sums *file, const struct sums_id *id,
		       struct err *err)
{
	struct sums_header_disk *header = (void *)file->buffer;
	uint8_t checksum[SUM_BYTES];
	int r = io_pread_full(file->fd, file->buffer, SUMS_HEADER_BYTES, 0);

	if (r == -ENODATA)
		return damaged(file, "it is cut short", err);
	if (r < 0)
		return fail_errno(err, r, "%s", file->path);
	if (memcmp(header->magic, SUMS_MAGIC, sizeof(header->magic)) != 0)
		return damaged(file, "not a file of sums", err);
	sums_checksum(file->buffer + SUM_BYTES, SUMS_HEADER_BYTES - SUM_BYTES,
		      checksum);
	if (memcmp(checksum, header->checksum, sizeof(checksum)) != 0)
		return damaged(file, "checksum of its header", err);
	if (le32toh(header->version) != SUMS_VERSION ||
	    le32toh(header->block_bytes) != SUM_BLOCK_BYTES)
		return fail(err, -EBADMSG,
			    "%s: version %u is not known to this version of "
			    "dsync-vm; use a newer one",
			    file->path, le32toh(header->version));
	if (!is_about(header, id))
		return damaged(file, "it belongs to another image", err);
	file->nr_blocks = sum_count(id->size_bytes);
	file->nr_pages = le64toh(header->nr_pages);
	file->nr_data = le64toh(header->nr_data);
	memcpy(file->backing, header->backing, sizeof(file->backing) - 1);
	file->page = file->nr_pages;
	file->nothing_from = UINT64_MAX;
	return 0;
}

/* Every page but the last is whole, so the size tells a file cut short. One
 * that is still being written has more pages than its header knows of. */
static int check_length(struct sums *file, struct err *err)
{
	uint64_t size_bytes;
	int r = io_size_bytes(file->fd, &size_bytes);

	if (r < 0)
		return fail_errno(err, r, "%s", file->path);
	size_bytes -= SUMS_HEADER_BYTES;
	if (size_bytes / SUMS_PAGE_BYTES + (size_bytes % SUMS_PAGE_BYTES != 0) <
	    file->nr_pages)
		return damaged(file, "it is cut short", err);
	return 0;
}

int sums_open(const char *path, const struct sums_id *id,
	      struct sums **ret_sums, struct err *err)
{
	_cleanup_sums_ struct sums *file = calloc(1, sizeof(*file));
	int r;

	if (!file)
		return fail(err, -ENOMEM, "out of memory");
	file->fd = -1;
	file->path = strdup(path);
	if (!file->path)
		return fail(err, -ENOMEM, "out of memory");
	file->fd = io_open_regular(path, O_RDONLY, err);
	if (file->fd < 0)
		return file->fd;
	r = read_header(file, id, err);
	if (r == 0)
		r = check_length(file, err);
	if (r == 0)
		*ret_sums = TAKE_PTR(file);
	return r;
}

void sums_close(struct sums *sums)
{
	if (!sums)
		return;
	if (sums->fd >= 0)
		close(sums->fd);
	free(sums->path);
	free(sums);
}

const char *sums_backing(const struct sums *file)
{
	return file->backing;
}

uint64_t sums_nr_data(const struct sums *file)
{
	return file->nr_data;
}

/* ---------------------------------------------------------------- pages */

static uint64_t page_offset(uint64_t number)
{
	return SUMS_HEADER_BYTES + number * SUMS_PAGE_BYTES;
}

static const struct sums_page_disk *header_of(const struct sums *file)
{
	return (const struct sums_page_disk *)file->buffer;
}

/* Reads what there is of a page: the last one is shorter. */
static int read_page(struct sums *file, uint64_t number)
{
	ssize_t done = io_pread_most(file->fd, file->buffer, SUMS_PAGE_BYTES,
				     (off_t)page_offset(number));

	if (done < 0)
		return done;
	memset(file->buffer + done, 0, SUMS_PAGE_BYTES - done);
	return 0;
}

static int load_page(struct sums *file, uint64_t number, struct err *err)
{
	const struct sums_page_disk *header = header_of(file);
	uint8_t checksum[SUM_BYTES];
	uint32_t used;
	int r;

	file->page = file->nr_pages;
	file->at = 0;
	file->next = sizeof(*header);
	r = read_page(file, number);
	if (r < 0)
		return fail_errno(err, r, "%s", file->path);
	used = le32toh(header->used_bytes);
	if (used <= sizeof(*header) || used > SUMS_PAGE_BYTES ||
	    le64toh(header->number) != number)
		return damaged(file, "a page is not what it should be", err);
	sums_checksum(file->buffer + SUM_BYTES, used - SUM_BYTES, checksum);
	if (memcmp(checksum, header->checksum, sizeof(checksum)) != 0)
		return damaged(file, "checksum of a page", err);
	if (le64toh(header->first_block) >= le64toh(header->end_block) ||
	    le64toh(header->end_block) > file->nr_blocks)
		return damaged(file, "a page is about no block", err);
	file->page = number;
	return 0;
}

/* -------------------------------------------------------------- records */

static uint64_t record_end(const struct record *record)
{
	return record->first_block + record->nr_blocks;
}

/* True if @record begins where one may, behind the one before it. */
static bool is_in_order(const struct sums *file, const struct record *record)
{
	const struct sums_page_disk *header = header_of(file);
	uint64_t least = file->at ? record_end(&file->record)
				  : le64toh(header->first_block);
	uint64_t end = le64toh(header->end_block);

	return record->first_block >= least && record->first_block < end &&
	       record->nr_blocks >= 1 &&
	       record->nr_blocks <= end - record->first_block;
}

/* Goes to the next record of the page. 0: there is none. */
static int next_in_page(struct sums *file, struct err *err)
{
	uint32_t used = le32toh(header_of(file)->used_bytes);
	uint32_t left = used - file->next,
		 needed = sizeof(struct sums_record_disk);
	struct sums_record_disk disk;
	struct record record;

	if (left == 0)
		return 0;
	if (left < needed)
		return damaged(file, "a record is cut short", err);
	memcpy(&disk, file->buffer + file->next, sizeof(disk));
	record = (struct record){
		.first_block = le64toh(disk.first_block),
		.nr_blocks = le32toh(disk.nr_blocks),
		.kind = le32toh(disk.kind),
		.sums = file->buffer + file->next + sizeof(disk),
	};
	if (record.kind == SUM_DATA &&
	    record.nr_blocks <= (left - needed) / SUM_BYTES)
		needed += record.nr_blocks * SUM_BYTES;
	else if (record.kind != SUM_ZERO && record.kind != SUM_LOST)
		return damaged(file, "a record is cut short", err);
	if (!is_in_order(file, &record))
		return damaged(file, "its records are not in order", err);
	file->record = record;
	file->at = file->next;
	file->next += needed;
	return 1;
}

/* Loads the last page that begins at or before @block, if there is one. */
static int find_page(struct sums *file, uint64_t block, struct err *err)
{
	uint64_t low = 0, high = file->nr_pages;
	struct sums_page_disk header;

	while (high - low > 1) {
		uint64_t middle = low + (high - low) / 2;
		int r = io_pread_full(file->fd, &header, sizeof(header),
				      (off_t)page_offset(middle));

		if (r < 0)
			return fail_errno(err, r, "%s", file->path);
		if (le64toh(header.first_block) <= block)
			low = middle;
		else
			high = middle;
	}
	return load_page(file, low, err);
}

/* True if a record is at hand, and @block is not before it. */
static bool is_near(const struct sums *file, uint64_t block)
{
	return file->page < file->nr_pages && file->at && block >= file->from;
}

/* Goes to the first record that ends behind @block, which is no near one. */
static int seek_far(struct sums *file, uint64_t block, struct err *err)
{
	int r = 1;

	if (!is_near(file, block) ||
	    block >= le64toh(header_of(file)->end_block)) {
		r = find_page(file, block, err);
		if (r == 0)
			r = next_in_page(file, err);
	}
	while (r > 0 && record_end(&file->record) <= block)
		r = next_in_page(file, err);
	if (r != 0 || file->page + 1 >= file->nr_pages)
		return r;
	/* The page ended before the block; the next one begins behind it. */
	r = load_page(file, file->page + 1, err);
	return r < 0 ? r : next_in_page(file, err);
}

/*
 * Goes to the first record that ends behind @block. Returns 1, or 0 if there
 * is none.
 */
static int seek(struct sums *file, uint64_t block, struct err *err)
{
	int r;

	if (file->nr_pages == 0 || block >= file->nothing_from)
		return 0;
	if (is_near(file, block) && block < record_end(&file->record))
		return 1;
	r = seek_far(file, block, err);
	if (r > 0 && record_end(&file->record) <= block)
		r = damaged(file, "its pages are not in order", err);
	if (r == 0)
		file->nothing_from = block;
	if (r > 0)
		file->from = block;
	else
		file->page = file->nr_pages;
	return r;
}

/* -------------------------------------------------------------- looking */

/* Fills what is unknown of @sums, entry 0 being block @first. */
static uint64_t copy_sums(const struct record *record, uint64_t first,
			  uint64_t count, struct sum *sums)
{
	uint64_t filled = 0;

	for (uint64_t i = 0; i < count; i++) {
		uint64_t index = first + i - record->first_block;

		if (sums[i].kind != SUM_UNKNOWN)
			continue;
		filled++;
		sums[i].kind = record->kind;
		if (record->kind == SUM_DATA)
			memcpy(sums[i].bytes, record->sums + index * SUM_BYTES,
			       SUM_BYTES);
	}
	return filled;
}

int64_t sums_look_up(struct sums *file, uint64_t first, uint64_t count,
		     struct sum *sums, struct err *err)
{
	uint64_t end = first + count, at = first, filled = 0;
	int r = 1;

	while (at < end && (r = seek(file, at, err)) > 0) {
		const struct record *record = &file->record;

		if (record->first_block >= end)
			break;
		if (record->first_block > at)
			at = record->first_block;
		count = (record_end(record) < end ? record_end(record) : end) -
			at;
		filled += copy_sums(record, at, count, sums + (at - first));
		at += count;
	}
	return r < 0 ? r : (int64_t)filled;
}

int sums_next_run(struct sums *file, uint64_t from, uint64_t max_blocks,
		  uint64_t *ret_first, uint64_t *ret_count, struct err *err)
{
	int r = seek(file, from, err);
	uint64_t first, count;

	if (r <= 0)
		return r;
	first = file->record.first_block > from ? file->record.first_block
						: from;
	count = record_end(&file->record) - first;
	*ret_first = first;
	*ret_count = count < max_blocks ? count : max_blocks;
	return 1;
}
