/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * make-backup TARGET DOMAIN UUID TIME WINDOW_BYTES DISK:SOURCE:MAP...
 *
 * Ships disks as a backup does, with its own engine, but without a domain: of
 * the file SOURCE what the bitmap in the file MAP names ("-": all of it), in
 * blocks of 4 KiB.  WINDOW_BYTES is the size of the first window.  Prints the
 * point and, for each disk, bytes sent and bytes that were there already. Then
 * keeps the last KEEP_LAST points, if that is set.
 *
 * With NEXT_CUT, a command, it takes more cuts than one: between some windows
 * it stops, runs the command, and goes on as long as that succeeds; what it
 * changed is what MAP names then.  CUT_SEED says between which windows.
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
#define MAX_DISKS 8
#define RUN "f0000000-0000-4000-8000-000000000001"

struct disk {
	struct pending *pending;
	const char *source, *map;
};

struct run {
	struct target *target;
	struct disk disks[MAX_DISKS];
	size_t nr_disks;
	uint64_t window_bytes;
	const char *next_cut; /* NULL: the first one is the last one */
	unsigned int seed;
	bool stopped;
};

/* Adds what is in the file to the set. */
static int read_map(const struct disk *disk, struct err *err)
{
	struct pending *pending = disk->pending;
	_cleanup_bitmap_ struct bitmap *map =
		bitmap_new(pending->map->nr_blocks);
	_cleanup_free_ char *content = NULL;
	size_t size_bytes;
	int r;

	if (strcmp(disk->map, "-") == 0) {
		bitmap_fill(pending->map);
		return 0;
	}
	r = io_read_file(disk->map, map->size_bytes, &content, &size_bytes,
			 err);
	if (r < 0)
		return r;
	memcpy(map->bits, content, size_bytes);
	bitmap_mask_tail(map);
	bitmap_or(pending->map, map);
	if (pending->to_send)
		bitmap_or(pending->to_send, map);
	return 0;
}

/* @text is DISK:SOURCE:MAP, and is taken apart. */
static int begin_disk(struct run *run, char *text, struct err *err)
{
	_cleanup_source_ struct ship_source *source = NULL;
	struct disk *disk = &run->disks[run->nr_disks++];
	struct pending *pending = calloc(1, sizeof(*pending));
	int r;

	disk->pending = pending;
	pending->disk = strdup(strtok(text, ":"));
	disk->source = strtok(NULL, ":");
	disk->map = strtok(NULL, ":");
	r = ship_source_open_file(disk->source, &source, err);
	if (r < 0)
		return r;
	pending->size_bytes = ship_source_size_bytes(source);
	pending->block_bytes = BLOCK;
	pending->map = bitmap_new((pending->size_bytes + BLOCK - 1) / BLOCK);
	r = read_map(disk, err);
	if (r == 0)
		r = target_add_damaged(run->target, pending, err);
	if (r == 0 && run->next_cut)
		r = pending_begin_run(pending, RUN);
	return r;
}

static bool is_enough(void *opaque)
{
	struct run *run = opaque;

	run->stopped = run->next_cut && rand_r(&run->seed) % 8 == 0;
	return run->stopped;
}

static int check_place(const struct disk *disk, const struct target_disk *to,
		       struct err *err)
{
	if (to->resumed || !disk->pending->to_send ||
	    bitmap_covers(disk->pending->to_send, disk->pending->map))
		return 0;
	return fail(err, -EIO, "%s: what this run had sent is gone", to->disk);
}

static int ship(struct run *run, const struct disk *disk,
		struct ship_source *source, struct manifest *manifest,
		struct err *err)
{
	_cleanup_target_disk_ struct target_disk to = {0};
	struct pending *pending = disk->pending;
	const struct transfer transfer = {.target = run->target,
					  .disk = &to,
					  .pending = pending,
					  .source = source,
					  .window_bytes = run->window_bytes,
					  .job = {.opaque = run},
					  .enough = is_enough};
	struct ship_counts counts = {0};
	struct manifest_disk *entry;
	int r = target_begin_disk(run->target, pending, &to, err);

	if (r == 0)
		r = check_place(disk, &to, err);
	if (r == 0)
		r = transfer_run(&transfer, &counts, err);
	if (r < 0)
		return r;
	printf("%s%s sent %llu equal %llu\n", pending->disk,
	       to.resumed ? " resumed" : "",
	       (unsigned long long)counts.sent_bytes,
	       to.sieve ? (unsigned long long)sieve_equal_bytes(to.sieve) : 0);
	fflush(stdout);
	r = target_end_disk(run->target, &to, pending, err);
	if (pending->to_send)
		bitmap_clear(pending->to_send, 0, pending->to_send->nr_blocks);
	entry = manifest_add_disk(manifest, pending->disk);
	entry->size_bytes = pending->size_bytes;
	entry->block_bytes = BLOCK;
	entry->bytes_sent = counts.sent_bytes;
	memcpy(entry->backing, to.backing, sizeof(entry->backing));
	entry->full = !to.backing[0];
	return r;
}

static int ship_disk(struct run *run, const struct disk *disk,
		     struct manifest *manifest, struct err *err)
{
	_cleanup_source_ struct ship_source *source = NULL;
	int r = ship_source_open_file(disk->source, &source, err);

	return r < 0 ? r : ship(run, disk, source, manifest, err);
}

static int make_point(struct run *run, char **argv, struct err *err)
{
	_cleanup_manifest_ struct manifest *manifest = manifest_new();
	int r = target_begin(run->target, atol(argv[4]), err);

	manifest->created = atol(argv[4]);
	manifest->consistency = CONSISTENCY_OFFLINE;
	manifest->domain_name = strdup(argv[2]);
	manifest->domain_xml = strdup("<domain/>");
	strcpy(manifest->domain_uuid, argv[3]);
	for (size_t i = 0; r == 0 && i < run->nr_disks; i++) {
		r = ship_disk(run, &run->disks[i], manifest, err);
		if (r == 0 && i + 1 < run->nr_disks && is_enough(run))
			r = fail(err, -EAGAIN, "ended between two disks");
	}
	if (r == 0)
		r = target_commit(run->target, manifest, err);
	if (r < 0)
		target_abandon(run->target);
	else
		puts(run->target->point);
	return r;
}

static int take_next_cut(struct run *run, struct err *err)
{
	int r = 0;

	run->stopped = false;
	err_clear(err);
	if (system(run->next_cut) != 0)
		return fail(err, -ECANCELED, "%s: failed", run->next_cut);
	for (size_t i = 0; r == 0 && i < run->nr_disks; i++)
		r = read_map(&run->disks[i], err);
	return r;
}

static int thin_out(struct target *target, struct err *err)
{
	const char *last = getenv("KEEP_LAST");
	struct keep keep = {.count = {[KEEP_LAST] = last ? atoi(last) : 0}};
	size_t removed;

	return last ? target_thin_out(target, &keep, &removed, err) : 0;
}

static int make_backup(struct run *run, char **argv, struct ui *ui,
		       struct err *err)
{
	const struct target_owner owner = {
		.name = argv[2], .uuid = argv[3], .state_dir = "/nonexistent"};
	int r = target_open(argv[1], &owner, NULL, &run->target, ui, err);

	for (int i = 6; r == 0 && argv[i]; i++)
		r = begin_disk(run, argv[i], err);
	if (r == 0)
		r = make_point(run, argv, err);
	while (r < 0 && run->stopped) {
		r = take_next_cut(run, err);
		if (r == 0)
			r = make_point(run, argv, err);
	}
	return r < 0 ? r : thin_out(run->target, err);
}

int main(int argc, char **argv)
{
	struct run run = {.next_cut = getenv("NEXT_CUT")};
	struct ui ui = ui_init();
	struct err err = {0};

	if (argc < 7 || argc > 6 + MAX_DISKS) {
		fprintf(stderr, "see the head of make-backup.c\n");
		return EXIT_USAGE;
	}
	signal(SIGPIPE, SIG_IGN);
	run.window_bytes = strtoull(argv[5], NULL, 10);
	run.seed = run.next_cut ? atoi(getenv("CUT_SEED")) : 0;
	if (make_backup(&run, argv, &ui, &err) < 0)
		fprintf(stderr, "make-backup: %s\n", err.text);
	for (size_t i = 0; i < run.nr_disks; i++)
		pending_free(run.disks[i].pending);
	target_close(run.target);
	return err_exit_code(err.code);
}
