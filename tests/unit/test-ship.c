/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a caller of ship_run() relies on: examine() sees the content once, in
 * ascending order; acked() tells of each block exactly once; what was skipped
 * is not written; windows add up to the whole.
 */
#include "check.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/bitmap.h"
#include "base/err.h"
#include "base/io.h"
#include "scratch.h"
#include "ship/server.h"
#include "ship/ship.h"

#define BLOCK 4096u
#define NR_BLOCKS 5000u /* with the last one short */
#define SIZE (NR_BLOCKS * BLOCK - 1024u)

struct disk {
	char path[SCRATCH_SIZE + 16];
	uint8_t bytes[SIZE];
};

struct fixture {
	struct disk source, dest;
	struct ship_server *server;
	struct ship_source *from;
	struct ship_dest *to;
	/* what the callbacks saw */
	uint64_t next_examined;
	unsigned int nr_acked[NR_BLOCKS];
	unsigned int skip_every; /* 0: none */
	unsigned int fail_at;    /* block, 0: never */
};

/* Blocks of data, zeroes and gaps in no regular order. */
static bool in_map(uint64_t block)
{
	return block * 2654435761u % 97 < 40 || block / 600 == 3;
}

static bool is_zero_block(uint64_t block)
{
	return block * 40503u % 61 < 20 || block / 400 == 5;
}

static void write_disk(struct disk *disk, const char *dir, const char *name)
{
	int fd;

	snprintf(disk->path, sizeof(disk->path), "%s/%s", dir, name);
	fd = open(disk->path, O_CREAT | O_WRONLY, 0600);
	assert_true(fd >= 0);
	assert_int_equal(io_write_full(fd, disk->bytes, SIZE), 0);
	close(fd);
}

static struct fixture *fixture_new(const char *dir)
{
	struct fixture *f = calloc(1, sizeof(*f));
	struct ship_image image = {.format = "raw"};

	assert_non_null(f);
	memset(f->dest.bytes, 0xdd, SIZE);
	for (size_t at = 0; at < SIZE; at++)
		if (!is_zero_block(at / BLOCK))
			f->source.bytes[at] = at / BLOCK + at % 251 + 1;
	write_disk(&f->source, dir, "source");
	write_disk(&f->dest, dir, "dest");
	image.path = f->dest.path;
	assert_int_equal(ship_server_start(&image, &f->server, NULL), 0);
	assert_int_equal(ship_server_open_dest(f->server, NULL, &f->to, NULL),
			 0);
	assert_int_equal(ship_source_open_file(f->source.path, &f->from, NULL),
			 0);
	return f;
}

static void fixture_free(struct fixture *f)
{
	ship_source_close(f->from);
	ship_dest_close(f->to);
	ship_server_kill(f->server);
	free(f);
}

/* Ends the server and reads what it left into dest.bytes. */
static void read_back(struct fixture *f)
{
	int fd;

	ship_dest_close(f->to);
	f->to = NULL;
	assert_int_equal(ship_server_stop(f->server, NULL), 0);
	f->server = NULL;
	fd = open(f->dest.path, O_RDONLY);
	assert_int_equal(io_read_full(fd, f->dest.bytes, SIZE), 0);
	close(fd);
}

static struct bitmap *make_map(void)
{
	struct bitmap *map = bitmap_new(NR_BLOCKS);

	for (uint64_t block = 0; block < NR_BLOCKS; block++)
		if (in_map(block))
			bitmap_set(map, block, 1);
	return map;
}

static bool skipped(const struct fixture *f, uint64_t block)
{
	return f->skip_every && block % f->skip_every == 0;
}

static size_t bytes_of(uint64_t first, uint64_t count)
{
	size_t end = (first + count) * BLOCK;

	return (end < SIZE ? end : SIZE) - first * BLOCK;
}

static int examine(void *opaque, uint64_t first, uint64_t count,
		   const uint8_t *data, bool skip[], struct err *err)
{
	struct fixture *f = opaque;

	assert_true(first >= f->next_examined);
	f->next_examined = first + count;
	assert_non_null(data);
	assert_memory_equal(data, f->source.bytes + first * BLOCK,
			    bytes_of(first, count));
	for (uint64_t i = 0; i < count; i++) {
		assert_true(in_map(first + i));
		assert_false(skip[i]);
		skip[i] = skipped(f, first + i);
		if (f->fail_at && first + i == f->fail_at)
			return fail(err, -EBADMSG, "block %u", f->fail_at);
	}
	return 0;
}

static void acked(void *opaque, uint64_t first, uint64_t count)
{
	struct fixture *f = opaque;

	for (uint64_t i = 0; i < count; i++)
		f->nr_acked[first + i]++;
}

static void check_dest(const struct fixture *f)
{
	for (uint64_t block = 0; block < NR_BLOCKS; block++) {
		const uint8_t *is = f->dest.bytes + block * BLOCK;
		bool written = in_map(block) && !skipped(f, block);

		assert_int_equal(f->nr_acked[block], in_map(block));
		if (written)
			assert_memory_equal(is, f->source.bytes + block * BLOCK,
					    bytes_of(block, 1));
		else
			assert_true(is[0] == 0xdd && is[511] == 0xdd);
	}
}

static void test_callbacks(void **state)
{
	struct fixture *f = fixture_new(*state);
	_cleanup_bitmap_ struct bitmap *map = make_map();
	struct ship_job job = {.map = map,
			       .block_bytes = BLOCK,
			       .opaque = f,
			       .examine = examine,
			       .acked = acked};
	struct ship_counts counts;

	f->skip_every = 7;
	assert_int_equal(ship_run(f->from, f->to, &job, &counts, NULL), 0);
	assert_int_equal(counts.blocks, bitmap_count(map));
	assert_int_equal(counts.done_blocks, counts.blocks);
	assert_int_equal(counts.sent_bytes + counts.zero_bytes +
				 counts.skip_bytes,
			 counts.read_bytes);
	assert_true(counts.flushed && counts.skip_bytes && counts.zero_bytes);
	read_back(f);
	check_dest(f);
	fixture_free(f);
}

static void test_windows(void **state)
{
	struct fixture *f = fixture_new(*state);
	_cleanup_bitmap_ struct bitmap *map = make_map();
	struct ship_job job = {.map = map,
			       .block_bytes = BLOCK,
			       .opaque = f,
			       .examine = examine,
			       .acked = acked};
	struct ship_counts counts;
	uint64_t blocks = 0;

	for (uint64_t first = 0; first < NR_BLOCKS; first += 777) {
		job.first_block = first;
		job.nr_blocks = first + 777 < NR_BLOCKS ? 777
							: NR_BLOCKS - first;
		assert_int_equal(ship_run(f->from, f->to, &job, &counts, NULL),
				 0);
		blocks += counts.blocks;
	}
	assert_int_equal(blocks, bitmap_count(map));
	read_back(f);
	check_dest(f);
	fixture_free(f);
}

/* Without a destination the source is only read and shown. */
static void test_examine_only(void **state)
{
	struct fixture *f = fixture_new(*state);
	_cleanup_bitmap_ struct bitmap *map = make_map();
	struct ship_job job = {.map = map,
			       .block_bytes = BLOCK,
			       .opaque = f,
			       .examine = examine,
			       .acked = acked};
	struct ship_counts counts;

	assert_int_equal(ship_run(f->from, NULL, &job, &counts, NULL), 0);
	assert_int_equal(counts.sent_bytes, 0);
	assert_int_equal(counts.done_blocks, bitmap_count(map));
	assert_false(counts.flushed);
	for (uint64_t block = 0; block < NR_BLOCKS; block++)
		assert_int_equal(f->nr_acked[block], in_map(block));
	fixture_free(f);
}

static void test_failure_of_examine(void **state)
{
	struct fixture *f = fixture_new(*state);
	struct ship_job job = {.map = NULL, .block_bytes = BLOCK, .opaque = f};
	_cleanup_bitmap_ struct bitmap *map = make_map();
	struct ship_counts counts;
	struct err err = {0};

	job.map = map;
	job.examine = examine;
	job.acked = acked;
	f->fail_at = 2000;
	assert_true(in_map(f->fail_at));
	assert_int_equal(ship_run(f->from, f->to, &job, &counts, &err),
			 -EBADMSG);
	assert_string_equal(err.text, "block 2000");
	for (uint64_t block = 2000; block < NR_BLOCKS; block++)
		assert_int_equal(f->nr_acked[block], 0);
	err_clear(&err);
	/* Answers may be owed on either end: neither is used again. */
	assert_int_equal(ship_run(f->from, f->to, &job, &counts, &err),
			 -ENOTCONN);
	fixture_free(f);
}

static void test_senseless_jobs(void **state)
{
	struct fixture *f = fixture_new(*state);
	_cleanup_bitmap_ struct bitmap *small = bitmap_new(NR_BLOCKS - 1);
	_cleanup_bitmap_ struct bitmap *large = bitmap_new(NR_BLOCKS + 1);
	const struct ship_job jobs[] = {
		{.block_bytes = 0},
		{.block_bytes = 512},
		{.block_bytes = 6144},
		{.block_bytes = 2u << 20},
		{.block_bytes = BLOCK, .map = small},
		{.block_bytes = BLOCK, .map = large},
		{.block_bytes = BLOCK, .first_block = NR_BLOCKS + 1},
		{.block_bytes = BLOCK, .first_block = 1, .nr_blocks = NR_BLOCKS},
		{.block_bytes = BLOCK, .nr_blocks = UINT64_MAX},
	};
	struct ship_counts counts;

	for (size_t i = 0; i < sizeof(jobs) / sizeof(*jobs); i++)
		assert_int_equal(ship_run(f->from, f->to, &jobs[i], &counts,
					  NULL),
				 -EINVAL);
	read_back(f);
	for (size_t at = 0; at < SIZE; at++)
		if (f->dest.bytes[at] != 0xdd)
			test_failed("written to at %zu", at);
	fixture_free(f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		scratch_test(test_callbacks),
		scratch_test(test_windows),
		scratch_test(test_examine_only),
		scratch_test(test_failure_of_examine),
		scratch_test(test_senseless_jobs),
	};

	if (system("command -v qemu-nbd >/dev/null") != 0)
		return 77;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
