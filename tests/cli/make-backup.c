/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * make-backup TARGET DOMAIN UUID TIME WINDOW_BYTES DISK:SOURCE:MAP...
 *
 * Ships disks as a backup does, with its own engine, but without a domain: of
 * the file SOURCE what the bitmap in the file MAP names ("-": all of it), in
 * blocks of 4 KiB.  WINDOW_BYTES is the size of the first window.  Prints the
 * point and, for each disk, bytes sent and bytes that were there already. Then
 * keeps the last KEEP_LAST points, if that is set.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bitmap.h"
#include "base/err.h"
#include "base/io.h"
#include "base/keep.h"
#include "job/sieve.h"
#include "job/target.h"
#include "job/transfer.h"
#include "job/ui.h"
#include "repo/manifest.h"
#include "repo/pending.h"

#define BLOCK 4096

static uint64_t window_bytes;

static int read_map(const char *path, struct pending *pending, struct err *err)
{
	_cleanup_free_ char *content = NULL;
	size_t size_bytes;
	int r;

	if (strcmp(path, "-") == 0) {
		bitmap_fill(pending->map);
		return 0;
	}
	r = io_read_file(path, pending->map->size_bytes, &content, &size_bytes,
			 err);
	if (r == 0)
		memcpy(pending->map->bits, content, size_bytes);
	bitmap_mask_tail(pending->map);
	return r;
}

static int ship(struct target *target, struct pending *pending,
		struct ship_source *source, struct manifest *manifest,
		struct err *err)
{
	_cleanup_target_disk_ struct target_disk disk = {0};
	const struct transfer transfer = {.target = target,
					  .disk = &disk,
					  .pending = pending,
					  .source = source,
					  .window_bytes = window_bytes};
	struct ship_counts counts = {0};
	struct manifest_disk *entry;
	int r = target_begin_disk(target, pending, &disk, err);

	if (r == 0)
		r = transfer_run(&transfer, &counts, err);
	if (r < 0)
		return r;
	printf("%s%s sent %llu equal %llu\n", pending->disk,
	       disk.resumed ? " resumed" : "",
	       (unsigned long long)counts.sent_bytes,
	       disk.sieve ? (unsigned long long)sieve_equal_bytes(disk.sieve)
			  : 0);
	fflush(stdout);
	r = target_end_disk(target, &disk, err);
	entry = manifest_add_disk(manifest, pending->disk);
	entry->size_bytes = pending->size_bytes;
	entry->block_bytes = BLOCK;
	entry->bytes_sent = counts.sent_bytes;
	memcpy(entry->backing, disk.backing, sizeof(entry->backing));
	entry->full = !disk.backing[0];
	return r;
}

/* @text is DISK:SOURCE:MAP, and is taken apart. */
static int ship_disk(struct target *target, char *text,
		     struct manifest *manifest, struct err *err)
{
	_cleanup_source_ struct ship_source *source = NULL;
	_cleanup_pending_ struct pending *pending = calloc(1, sizeof(*pending));
	const char *path, *map;
	int r;

	pending->disk = strdup(strtok(text, ":"));
	path = strtok(NULL, ":");
	map = strtok(NULL, ":");
	r = ship_source_open_file(path, &source, err);
	if (r < 0)
		return r;
	pending->size_bytes = ship_source_size_bytes(source);
	pending->block_bytes = BLOCK;
	pending->map = bitmap_new((pending->size_bytes + BLOCK - 1) / BLOCK);
	r = read_map(map, pending, err);
	if (r == 0)
		r = target_add_damaged(target, pending, err);
	return r < 0 ? r : ship(target, pending, source, manifest, err);
}

static int thin_out(struct target *target, struct err *err)
{
	const char *last = getenv("KEEP_LAST");
	struct keep keep = {.count = {[KEEP_LAST] = last ? atoi(last) : 0}};
	size_t removed;

	return last ? target_thin_out(target, &keep, &removed, err) : 0;
}

static int run(char **argv, struct ui *ui, struct err *err)
{
	const struct target_owner owner = {
		.name = argv[2], .uuid = argv[3], .state_dir = "/nonexistent"};
	_cleanup_target_ struct target *target = NULL;
	_cleanup_manifest_ struct manifest *manifest = manifest_new();
	int r = target_open(argv[1], &owner, NULL, &target, ui, err);

	if (r == 0)
		r = target_begin(target, atol(argv[4]), err);
	if (r < 0)
		return r;
	manifest->created = atol(argv[4]);
	manifest->consistency = CONSISTENCY_OFFLINE;
	manifest->domain_name = strdup(argv[2]);
	manifest->domain_xml = strdup("<domain/>");
	strcpy(manifest->domain_uuid, argv[3]);
	for (int i = 6; r == 0 && argv[i]; i++)
		r = ship_disk(target, argv[i], manifest, err);
	if (r == 0)
		r = target_commit(target, manifest, err);
	if (r < 0)
		target_abandon(target);
	else
		puts(target->point);
	return r < 0 ? r : thin_out(target, err);
}

int main(int argc, char **argv)
{
	struct ui ui = ui_init();
	struct err err = {0};

	if (argc < 7) {
		fprintf(stderr, "see the head of make-backup.c\n");
		return EXIT_USAGE;
	}
	signal(SIGPIPE, SIG_IGN);
	window_bytes = strtoull(argv[5], NULL, 10);
	if (run(argv, &ui, &err) < 0)
		fprintf(stderr, "make-backup: %s\n", err.text);
	return err_exit_code(err.code);
}
