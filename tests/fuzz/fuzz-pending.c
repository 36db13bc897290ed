/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A pending file is read whole or not at all, and one that is read is written
 * the same again.  Unless the first byte of the input is odd the file gets a
 * right checksum.
 */
#include <string.h>

#include "fuzz.h"
/* For its header and its checksum, which nobody else needs. */
#include "repo/pending-file.c"

static void check(const struct pending *pending)
{
	const struct bitmap *map = pending->map;

	promise(uuid_valid(pending->repo_id) &&
		uuid_valid(pending->domain_uuid));
	promise(disk_target_valid(pending->disk));
	promise(pending->location && pending->reason <= PENDING_TRACKER);
	promise(map->nr_blocks ==
		pending->size_bytes / pending->block_bytes +
			(pending->size_bytes % pending->block_bytes != 0));
	promise(bitmap_count(map) <= map->nr_blocks);
	promise(!pending->to_send == !pending->run[0]);
	promise(bitmap_count(pending_to_send(pending)) <= map->nr_blocks);
	promise(pending->tail.nr_entries <= TAIL_MAX);
}

static void write_and_read(const struct pending *pending)
{
	_cleanup_pending_ struct pending *again = NULL;
	char first[256], second[256];
	_cleanup_free_ char *a = NULL, *b = NULL;
	size_t nr_a, nr_b;
	struct err err = {0};

	strcpy(first, fuzz_file("first", "", 0));
	strcpy(second, fuzz_file("second", "", 0));
	promise(pending_file_write(first, pending, &err) == 0);
	promise(pending_file_read(first, &again) == 0);
	promise(pending_file_write(second, again, &err) == 0);
	promise(io_read_file(first, 1 << 20, &a, &nr_a, &err) == 0);
	promise(io_read_file(second, 1 << 20, &b, &nr_b, &err) == 0);
	promise(nr_a == nr_b && memcmp(a, b, nr_a) == 0);
}

/* What comes after reading: the tail's blocks need not be the disk's. */
static void use(const struct pending *pending)
{
	_cleanup_bitmap_ struct bitmap *map =
		bitmap_new(pending->map->nr_blocks);
	static const uint8_t content[512];

	tail_mark(&pending->tail, pending->map, map);
	promise(bitmap_count(map) <= pending->tail.nr_entries);
	for (size_t i = 0; i < pending->tail.nr_entries; i++)
		tail_matches(&pending->tail, pending->tail.entries[i].block,
			     content, sizeof(content));
}

void fuzz_one(const uint8_t *data, size_t size)
{
	_cleanup_pending_ struct pending *pending = NULL;
	_cleanup_free_ uint8_t *content = NULL;
	struct input input = {data, size};
	bool raw = input_byte(&input) & 1;
	int r;

	size = input.left;
	content = (uint8_t *)input_text(&input);
	if (!raw && size >= sizeof(struct header_disk))
		checksum(content, size,
			 ((struct header_disk *)content)->checksum);
	r = pending_file_read(fuzz_file("pending", content, size), &pending);
	promise(r == 0 || r == -EBADMSG);
	if (r < 0)
		return;
	check(pending);
	write_and_read(pending);
	use(pending);
}
