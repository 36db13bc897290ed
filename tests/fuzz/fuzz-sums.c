/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A file of sums that opens says the same whichever way it is asked.
 *
 * The input is the file without its padding and, unless its first byte is
 * odd, without right checksums: else nothing but the checksum would be tried.
 *
 *	1	flags
 *	...	struct sums_header_disk
 *	...	for each page, 2 bytes: how many of its own follow; and those
 *
 * make-seeds.c writes it so.
 */
#include <endian.h>
#include <string.h>

#include "base/err.h"
#include "fuzz.h"
#include "repo/sums-format.h"
#include "repo/sums.h"

#define REPO "11111111-1111-4111-8111-111111111111"
#define UUID "aaaaaaaa-aaaa-4aaa-8aaa-aaaaaaaaaaaa"
#define POINT "20260101T000000Z"
#define MAX_PAGES 8
#define MAX_RUNS 4096
#define WINDOW 256

static uint8_t file[SUMS_HEADER_BYTES + MAX_PAGES * SUMS_PAGE_BYTES];
static struct sums_id id = {
	.repo_id = REPO, .domain_uuid = UUID, .target = "vda", .point = POINT};

/* ------------------------------------------------------------- the file */

static void seal_page(uint8_t *page)
{
	const struct sums_page_disk *header = (void *)page;
	uint32_t used = le32toh(header->used_bytes);

	if (used >= SUM_BYTES && used <= SUMS_PAGE_BYTES)
		sums_checksum(page + SUM_BYTES, used - SUM_BYTES, page);
}

/* Returns its length. */
static size_t unfold(struct input *input)
{
	struct sums_header_disk *header = (void *)file;
	bool raw = input_byte(input) & 1;
	size_t end = SUMS_HEADER_BYTES;

	memset(file, 0, sizeof(file));
	input_bytes(input, header, sizeof(*header));
	while (input->left && end < sizeof(file)) {
		uint8_t *page = file + end;
		uint16_t length = input_byte(input);

		length |= input_byte(input) << 8;
		input_bytes(input, page, length);
		if (!raw)
			seal_page(page);
		end += SUMS_PAGE_BYTES;
	}
	if (!raw) {
		memcpy(header->magic, SUMS_MAGIC, sizeof(header->magic));
		header->version = htole32(SUMS_VERSION);
		header->block_bytes = htole32(SUM_BLOCK_BYTES);
		strcpy(header->repo_id, REPO);
		strcpy(header->domain_uuid, UUID);
		strcpy(header->target, "vda");
		strcpy(header->point, POINT);
		sums_checksum(file + SUM_BYTES, SUMS_HEADER_BYTES - SUM_BYTES,
			      file);
	}
	id.size_bytes = le64toh(header->size_bytes);
	return end;
}

/* ------------------------------------------------------------ asking it */

static size_t known(const struct sum *sums, size_t count)
{
	size_t n = 0;

	for (size_t i = 0; i < count; i++) {
		promise(sums[i].kind <= SUM_LOST);
		n += sums[i].kind != SUM_UNKNOWN;
	}
	return n;
}

/* What a run says of @first is what looking says, on the same handle and on
 * one that has not come this way; and nothing is known before it. */
static void check_run(const char *path, struct sums *sums, uint64_t from,
		      uint64_t first, uint64_t count)
{
	_cleanup_sums_ struct sums *other = NULL;
	struct sum near[WINDOW] = {0}, far[WINDOW] = {0};
	size_t window = count < WINDOW ? count : WINDOW;
	struct err err = {0};
	int64_t filled = sums_look_up(sums, first, window, near, &err);

	promise(filled == (int64_t)window && known(near, window) == window);
	promise(sums_open(path, &id, &other, &err) == 0);
	filled = sums_look_up(other, first, window, far, &err);
	promise(filled == -EBADMSG || filled == (int64_t)known(far, window));
	if (first > from) {
		struct sum before = {0};

		promise(sums_look_up(other, first - 1, 1, &before, &err) <= 0);
	}
}

/* Returns the number of runs. */
static size_t walk(const char *path, struct sums *sums)
{
	uint64_t from = 0, first = 0, count = 0;
	struct err err = {0};
	size_t nr = 0;
	int r;

	while (nr < MAX_RUNS && (r = sums_next_run(sums, from, UINT64_MAX,
						   &first, &count, &err)) > 0) {
		promise(first >= from && count > 0);
		promise(first + count <= sum_count(id.size_bytes));
		check_run(path, sums, from, first, count);
		from = first + count;
		nr++;
	}
	promise(nr == MAX_RUNS || r == 0 || r == -EBADMSG);
	promise(r >= 0 || (err.text[0] && !strchr(err.text, '\n')));
	return nr;
}

/* Whatever a merged file says, one that was merged says as well. */
static void merge(struct sums *from)
{
	_cleanup_sums_writer_ struct sums_writer *writer = NULL;
	_cleanup_sums_ struct sums *merged = NULL;
	uint64_t first, count, at, many;
	const char *path = fuzz_file("merged.sums", "", 0);
	struct err err = {0};
	int r = sums_writer_open(path, &id, &writer, &err);

	if (r == 0)
		r = sums_merge((struct sums *[]){NULL, from}, 2, id.size_bytes,
			       writer, &err);
	if (r == 0)
		r = sums_writer_finish(writer, &err);
	promise(r == 0 || r == -EBADMSG || r == -EINVAL);
	if (r < 0)
		return;
	promise(sums_open(path, &id, &merged, &err) == 0);
	for (at = 0;
	     (r = sums_next_run(merged, at, WINDOW, &first, &count, &err)) > 0;
	     at = first + count) {
		struct sum a[WINDOW] = {0}, b[WINDOW] = {0};

		promise(sums_look_up(merged, first, count, a, &err) ==
			(int64_t)count);
		promise(sums_look_up(from, first, count, b, &err) ==
			(int64_t)count);
		promise(memcmp(a, b, count * sizeof(*a)) == 0);
	}
	promise(r == 0);
	many = sums_nr_data(merged);
	promise(many <= sum_count(id.size_bytes));
}

void fuzz_one(const uint8_t *data, size_t size)
{
	struct input input = {data, size};
	size_t length = unfold(&input);
	_cleanup_sums_ struct sums *sums = NULL;
	struct err err = {0};
	char path[256];
	size_t nr;

	strcpy(path, fuzz_file("a.sums", file, length));
	id.backing = "";
	if (sums_open(path, &id, &sums, &err) < 0) {
		promise(err.text[0] && !strchr(err.text, '\n'));
		return;
	}
	promise(strlen(sums_backing(sums)) < POINT_SIZE);
	nr = walk(path, sums);
	/* Merging goes through the disk, however little is known of it. */
	if (nr < MAX_RUNS && id.size_bytes <= (UINT64_C(1) << 30))
		merge(sums);
	unlink(path);
}
