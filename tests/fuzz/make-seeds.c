/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * make-seeds DIRECTORY
 *
 * Writes seeds in the formats that are no text, by the code that writes such
 * files, into DIRECTORY/TARGET/; and those of fuzz-catalog.c, which has a
 * format of its own.
 */
#include <endian.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/bitmap.h"
#include "base/err.h"
#include "base/io.h"
#include "base/run.h"
#include "dm-dsync-codec.h"
#include "repo/pending-file.h"
#include "repo/pending.h"
#include "repo/sums-format.h"
#include "repo/sums.h"

#define REPO "11111111-1111-4111-8111-111111111111"
#define UUID "aaaaaaaa-aaaa-4aaa-8aaa-aaaaaaaaaaaa"
#define POINT "20260101T000000Z"

static const char *directory;

static void die(const char *what)
{
	fprintf(stderr, "make-seeds: %s\n", what);
	exit(1);
}

static char *path_of(const char *target, const char *name)
{
	_cleanup_free_ char *parent = io_format("%s/%s", directory, target);
	char *path = io_format("%s/%s", parent, name);
	struct err err = {0};

	if (io_make_dirs(parent, &err) < 0)
		die(err.text);
	return path;
}

/* A seed in pieces, each appended to the last. */
static FILE *begin(const char *target, const char *name)
{
	_cleanup_free_ char *path = path_of(target, name);
	FILE *file = fopen(path, "we");

	if (!file)
		die(path);
	return file;
}

static char *read_and_remove(const char *path, size_t *ret_size)
{
	struct err err = {0};
	char *content;

	if (io_read_file(path, 1 << 22, &content, ret_size, &err) < 0)
		die(err.text);
	unlink(path);
	return content;
}

/* ---------------------------------------------------------------- sums */

/* Without padding, as fuzz-sums.c unfolds it. */
static void fold_sums(const char *name, const char *content, size_t size)
{
	_cleanup_fclose_ FILE *file = begin("sums", name);

	fputc(0, file);
	fwrite(content, sizeof(struct sums_header_disk), 1, file);
	for (size_t at = SUMS_HEADER_BYTES; at < size; at += SUMS_PAGE_BYTES) {
		const struct sums_page_disk *page = (void *)(content + at);
		uint32_t used = page->used_bytes;

		used = used < UINT16_MAX ? used : UINT16_MAX;
		fputc(used & 0xff, file);
		fputc(used >> 8, file);
		fwrite(page, used, 1, file);
	}
}

/* Runs of @step blocks, of every kind in turn. */
static void make_sums(const char *name, uint64_t nr_blocks, unsigned int step)
{
	const struct sums_id id = {.repo_id = REPO,
				   .domain_uuid = UUID,
				   .target = "vda",
				   .point = POINT,
				   .backing = "",
				   .size_bytes = nr_blocks * SUM_BLOCK_BYTES};
	_cleanup_free_ char *path = path_of("sums", "tmp");
	_cleanup_free_ char *content = NULL;
	struct sums_writer *writer;
	struct err err = {0};
	size_t size;
	int r = sums_writer_open(path, &id, &writer, &err);

	for (uint64_t block = 0; r == 0 && block < nr_blocks; block++) {
		const struct sum sum = {.kind = block / step % 4,
					.bytes = {(uint8_t)block}};

		r = sums_writer_add(writer, block, &sum, 1, &err);
	}
	if (r == 0)
		r = sums_writer_finish(writer, &err);
	if (r < 0)
		die(err.text);
	sums_writer_close(writer);
	content = read_and_remove(path, &size);
	fold_sums(name, content, size);
}

/* ------------------------------------------------------------- pending */

static void make_pending(const char *name, size_t nr_tail)
{
	_cleanup_pending_ struct pending *pending = malloc(sizeof(*pending));
	_cleanup_free_ char *path = path_of("pending", "tmp");
	_cleanup_free_ char *content = NULL;
	_cleanup_fclose_ FILE *file = begin("pending", name);
	struct err err = {0};
	size_t size;

	*pending = (struct pending){.repo_id = REPO,
				    .domain_uuid = UUID,
				    .newest = POINT,
				    .epoch = UUID,
				    .disk = strdup("vda"),
				    .location = strdup("/backup"),
				    .size_bytes = 1000 * 4096 - 512,
				    .block_bytes = 4096,
				    .map = bitmap_new(1000)};
	bitmap_set(pending->map, 3, 50);
	for (size_t i = 0; i < nr_tail; i++)
		tail_note(&pending->tail, i, (const uint8_t *)name, 1);
	if (pending_file_write(path, pending, &err) < 0)
		die(err.text);
	content = read_and_remove(path, &size);
	fputc(0, file);
	fwrite(content, size, 1, file);
}

/* --------------------------------------------------------------- qcow2 */

static void make_image(const char *name, const char *options,
		       const char *backing)
{
	_cleanup_free_ char *path = path_of("qcow2", name);
	const char *argv[] = {"qemu-img",
			      "create",
			      "-q",
			      "-u",
			      "-f",
			      "qcow2",
			      "-o",
			      options,
			      path,
			      "1M",
			      backing ? "-b" : NULL,
			      backing,
			      "-F",
			      "qcow2",
			      NULL};
	struct err err = {0};

	if (run_command(argv, &err) < 0)
		die(err.text);
}

/* A header and no more, whose first-level table would have 32 MiB. */
static void make_boaster(void)
{
	_cleanup_fclose_ FILE *file = begin("qcow2", "boaster");
	uint32_t header[26] = {htobe32(0x514649fb), htobe32(3)};

	header[5] = htobe32(16); /* bits of a cluster */
	header[9] = htobe32(4 << 20);
	fwrite(header, sizeof(header), 1, file);
}

static void make_images(void)
{
	make_boaster();
	make_image("standalone", "cluster_size=4k", NULL);
	make_image("extended", "cluster_size=16k,extended_l2=on", NULL);
	make_image("overlay", "cluster_size=4k", "20260101T000000Z.qcow2");
}

/* ------------------------------------------------------------ metadata */

/* Bits, or intents, at each of @sectors; the list ends with 0. */
static void make_metadata(const char *name, unsigned int flags,
			  const unsigned int *sectors)
{
	const struct dsync_super super = {
		.flags = flags,
		.uuid = {{0xaa, 0xaa}},
		.sequence = 10,
		.data_sectors = 1 << 20,
		.block_sectors = 8,
		.region_sectors = 2048,
		.active_regions = 1024,
		.generation = {5, 15},
		.open = {{sectors[0]}},
	};
	_cleanup_fclose_ FILE *file = begin("metadata", name);
	uint8_t block[DSYNC_META_BLOCK_BYTES];

	dsync_super_encode(&super, block);
	fputc(2, file);
	fwrite(block, sizeof(struct dsync_meta_super), 1, file);
	for (; *sectors; sectors++) {
		fputc(*sectors & 0xff, file);
		fputc(*sectors >> 8, file);
		fputc(8, file);
		fputc(0, file);
		fwrite("\1\0\0\0\377\0\0\0", 8, 1, file);
	}
}

/* ------------------------------------------------------------- catalog */

/* See fuzz-catalog.c: each point is 9 bytes, of two disks. */
static void make_catalogs(void)
{
	static const struct {
		const char *name;
		uint8_t points[3][9];
	} catalogs[] = {
		{"chain",
		 {{1, 0, 1, 7, 0, 0, 3, 0, 0},
		  {1, 1, 2, 7, 1, 0, 0, 0, 0},
		  {1, 2, 3, 7, 2, 0, 3, 1, 0}}},
		{"circle",
		 {{1, 3, 1, 3, 3, 0, 0, 0, 0},
		  {1, 1, 2, 3, 1, 0, 0, 0, 0},
		  {1, 2, 3, 3, 2, 0, 0, 0, 0}}},
		{"fork",
		 {{1, 0, 1, 3, 0, 0, 0, 0, 0},
		  {1, 1, 2, 3, 1, 0, 0, 0, 0},
		  {1, 1, 3, 3, 1, 0, 0, 0, 0}}},
		{"removal",
		 {{1, 0, 1, 7, 0, 0, 0, 0, 0},
		  {3, 1, 2, 7, 1, 0, 0, 0, 0},
		  {1, 2, 3, 7, 2, 0, 0, 0, 0}}},
		{"removed",
		 {{1, 0, 1, 7, 0, 0, 0, 0, 0},
		  {3, 1, 2, 1, 1, 0, 0, 0, 0},
		  {1, 2, 3, 7, 2, 2, 0, 0, 0}}},
		{"leftover",
		 {{1, 0, 1, 7, 0, 0, 0, 0, 0},
		  {1, 1, 2, 7, 1, 0, 0, 0, 0},
		  {4, 0, 0, 0, 0, 0, 0, 0, 0}}},
	};

	for (size_t i = 0; i < sizeof(catalogs) / sizeof(*catalogs); i++) {
		_cleanup_fclose_ FILE *file =
			begin("catalog", catalogs[i].name);

		fwrite(catalogs[i].points, sizeof(catalogs[i].points), 1, file);
	}
}

int main(int argc, char **argv)
{
	if (argc != 2)
		die("see the head of make-seeds.c");
	directory = argv[1];
	make_sums("few", 40, 5);
	make_sums("pages", 9000, 3000);
	make_pending("empty", 0);
	make_pending("tail", 5);
	make_images();
	make_metadata("clean", 1, (const unsigned int[]){32, 0});
	make_metadata("unclean", 0, (const unsigned int[]){16, 32, 40, 0});
	make_metadata("lost", 2, (const unsigned int[]){0});
	make_catalogs();
	return 0;
}
