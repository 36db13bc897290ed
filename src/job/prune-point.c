/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The image that goes takes over the blocks of the one above it and then its
 * name: what is copied are the upper one's own blocks, 4 KiB each, and images
 * above that never notice.
 *
 * The upper image is read alone, without what is under it: its own blocks are
 * in it, and nothing else is asked for.
 */
#include "job/prune-point.h"

#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

#include "base/bitmap.h"
#include "base/err.h"
#include "base/io.h"
#include "base/run.h"
#include "dm/image-lock.h"
#include "job/interrupt.h"
#include "job/ui.h"
#include "repo/catalog.h"
#include "repo/domain.h"
#include "repo/image.h"
#include "repo/manifest.h"
#include "repo/removal.h"
#include "repo/sum.h"
#include "ship/server.h"
#include "ship/ship.h"

#define STALL_MS 120000
#define ROOM_BYTES \
	(UINT64_C(16) << 20) /* for tables, and what else is written */

/* One disk of the point that goes, and the point whose image is over it. */
struct merge {
	const struct repo_domain *domain;
	const struct catalog *catalog;
	const struct manifest *point, *child;
	const struct manifest_disk *disk, *child_disk;
	char *lower, *upper; /* paths of the images */
	struct ui *ui;
};

static void merge_clear(struct merge *merge)
{
	free(merge->lower);
	free(merge->upper);
}
#define _cleanup_merge_ _cleanup_(merge_clear)

static const struct manifest *find(const struct catalog *catalog,
				   const char *point)
{
	const struct manifest *hidden = catalog_hidden(catalog, point);

	for (size_t i = 0; !hidden && i < catalog->nr_points; i++)
		if (strcmp(catalog->points[i]->point, point) == 0)
			return catalog->points[i];
	return hidden;
}

/*
 * The images say what is over what: a manifest that is missing or damaged, or
 * that says otherwise, must not make one vanish that others are read through.
 */
static int find_child(struct merge *merge, struct err *err)
{
	const char *target = merge->disk->target;
	char over[POINT_SIZE];
	unsigned int count;
	int r = image_find_over(merge->domain, target, merge->point->point,
				&count, over, err);

	if (r < 0 || count == 0)
		return r;
	merge->child = find(merge->catalog, over);
	merge->child_disk =
		merge->child ? manifest_find_disk(merge->child, target) : NULL;
	if (count > 1 || !merge->child_disk ||
	    strcmp(merge->child_disk->backing, merge->point->point) != 0)
		return fail(err, -EBADMSG,
			    "%s of %s: the image of %s is over it, and what "
			    "the manifests say is another",
			    target, merge->point->point, over);
	merge->upper = image_path(merge->domain, target, over);
	return merge->upper ? 0 : fail(err, -ENOMEM, "out of memory");
}

static int merge_init(struct merge *merge, const struct repo_domain *domain,
		      const struct catalog *catalog,
		      const struct manifest *point,
		      const struct manifest_disk *disk, struct ui *ui,
		      struct err *err)
{
	*merge = (struct merge){
		.domain = domain,
		.catalog = catalog,
		.point = point,
		.disk = disk,
		.lower = image_path(domain, disk->target, point->point),
		.ui = ui,
	};
	return merge->lower ? find_child(merge, err)
			    : fail(err, -ENOMEM, "out of memory");
}

/* ------------------------------------------------------------- checking */

/* That nobody has it open, be it a program of ours or an admin's qemu. */
static int check_unused(const char *path, struct err *err)
{
	_cleanup_close_ int fd = io_open_regular(path, O_RDONLY, err);

	return fd < 0 ? fd : image_lock(fd, path, err);
}

/* What is copied is freed only afterwards. */
static int check_room(const struct merge *merge, uint64_t blocks,
		      struct err *err)
{
	uint64_t needed = blocks * SUM_BLOCK_BYTES;
	struct statvfs fs;

	if (statvfs(merge->lower, &fs) < 0)
		return fail_errno(err, -errno, "%s", merge->lower);
	if ((uint64_t)fs.f_bavail * fs.f_frsize < needed + ROOM_BYTES)
		return fail(err, -ENOSPC,
			    "%s: removing it needs %" PRIu64
			    " MiB of room for a while",
			    merge->point->point, (needed + ROOM_BYTES) >> 20);
	return 0;
}

/* That it can be merged into the one over it. */
static int check_merge(const struct merge *merge, struct err *err)
{
	const char *target = merge->disk->target;
	enum removal_state state;
	uint64_t blocks = 0;
	int r = check_unused(merge->upper, err);

	if (r == 0)
		r = removal_state(merge->domain, merge->point, target,
				  merge->child, &state, err);
	if (r == 0 && state != REMOVAL_COVERED)
		r = fail(err, -EBADMSG, "%s of %s: its sums are not its own",
			 target, merge->child->point);
	if (r == 0)
		r = removal_check_sums(merge->domain, merge->child, target,
				       &blocks, err);
	if (r == 0)
		r = removal_check_sums(merge->domain, merge->point, target,
				       NULL, err);
	return r < 0 ? r : check_room(merge, blocks, err);
}

/* An image that no other is over may be the last of its disk that can be read,
 * if a manifest says that one was. */
static int check_alone(const struct merge *merge, struct err *err)
{
	const struct catalog *catalog = merge->catalog;

	for (size_t i = 0; i < catalog->nr_points; i++) {
		const struct manifest *point = catalog->points[i];
		const struct manifest_disk *disk =
			manifest_find_disk(point, merge->disk->target);

		if (disk && strcmp(disk->backing, merge->point->point) == 0)
			return fail(err, -EBADMSG,
				    "%s of %s: the image over it, that of %s, "
				    "is missing",
				    disk->target, merge->point->point,
				    point->point);
	}
	return 0;
}

static int check_disk(const struct merge *merge, struct err *err)
{
	int r = image_check_chain(merge->domain, merge->catalog,
				  merge->child ? merge->child : merge->point,
				  merge->disk->target, err);

	if (r == 0)
		r = check_unused(merge->lower, err);
	if (r < 0)
		return r;
	return merge->child ? check_merge(merge, err) : check_alone(merge, err);
}

int prune_point_check(const struct repo_domain *domain,
		      const struct catalog *catalog,
		      const struct manifest *point, struct err *err)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < point->nr_disks; i++) {
		_cleanup_merge_ struct merge merge;

		r = merge_init(&merge, domain, catalog, point, &point->disks[i],
			       NULL, err);
		if (r == 0)
			r = check_disk(&merge, err);
	}
	return r;
}

/* -------------------------------------------------------------- copying */

/*
 * A run that was killed while it wrote may have left clusters that nothing
 * refers to, and the upper one may be of a disk that has grown.
 */
static int prepare_lower(const struct merge *merge, struct err *err)
{
	_cleanup_free_ char *size =
		io_format("%" PRIu64, merge->child_disk->size_bytes);
	const char *resize[] = {"qemu-img", "resize",     "-q", "-f", "qcow2",
				"--",       merge->lower, size, NULL};
	_cleanup_close_ int fd = -1;
	int r;

	if (!size)
		return fail(err, -ENOMEM, "out of memory");
	fd = open(merge->lower, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0 || fchmod(fd, 0600) < 0)
		return fail_errno(err, -errno, "%s", merge->lower);
	r = image_mend(merge->lower, err);
	if (r == 0 && merge->child_disk->size_bytes > merge->disk->size_bytes)
		r = run_command(resize, err);
	return r;
}

static void show_progress(void *opaque, const struct ship_counts *counts)
{
	const struct merge *merge = opaque;

	ui_progress(merge->ui, counts->done_blocks * SHIP_UNIT_BYTES,
		    counts->blocks * SHIP_UNIT_BYTES);
}

static int ship(struct merge *merge, struct ship_server *from,
		struct ship_server *to, const struct bitmap *map,
		uint64_t *moved_bytes, struct err *err)
{
	const struct ship_job job = {
		.map = map,
		.block_bytes = SHIP_UNIT_BYTES,
		.stall_ms = STALL_MS,
		.cancelled = interrupt_catch(),
		.opaque = merge,
		.progress = show_progress,
	};
	_cleanup_source_ struct ship_source *source = NULL;
	_cleanup_dest_ struct ship_dest *dest = NULL;
	struct ship_counts counts = {0};
	int r = ship_server_open_source(from, job.cancelled, &source, err);

	if (r == 0)
		r = ship_server_open_dest(to, job.cancelled, &dest, err);
	if (r == 0)
		r = ship_run(source, dest, &job, &counts, err);
	*moved_bytes += counts.sent_bytes;
	if (r == 0 && !counts.flushed)
		r = fail(err, -EIO, "%s: not flushed", merge->lower);
	return r;
}

static int copy_down(struct merge *merge, uint64_t *moved_bytes,
		     struct err *err)
{
	_cleanup_free_ char *alone = image_alone(merge->upper);
	const struct ship_image upper = {.path = merge->upper,
					 .format = "qcow2",
					 .options = alone,
					 .read_only = true};
	const struct ship_image lower = {.path = merge->lower,
					 .format = "qcow2"};
	_cleanup_server_ struct ship_server *from = NULL, *to = NULL;
	_cleanup_bitmap_ struct bitmap *map =
		bitmap_new(sum_count(merge->child_disk->size_bytes));
	int r;

	if (!alone || !map)
		return fail(err, -ENOMEM, "out of memory");
	r = image_check_chain(merge->domain, merge->catalog, merge->child,
			      merge->disk->target, err);
	if (r == 0)
		r = removal_own_blocks(merge->domain, merge->child,
				       merge->disk->target, map, err);
	if (r == 0)
		r = prepare_lower(merge, err);
	if (r == 0)
		r = ship_server_start(&upper, &from, err);
	if (r == 0)
		r = ship_server_start(&lower, &to, err);
	if (r < 0)
		return r;
	ui_progress_start(merge->ui, merge->point->point);
	r = ship(merge, from, to, map, moved_bytes, err);
	ui_progress_end(merge->ui);
	if (r == 0)
		r = ship_server_stop(TAKE_PTR(to), err);
	return r < 0 ? r : image_make_durable(merge->lower, err);
}

static int finish_disk(struct merge *merge, uint64_t *moved_bytes,
		       struct err *err)
{
	const char *target = merge->disk->target;
	enum removal_state state;
	int r = removal_state(merge->domain, merge->point, target, merge->child,
			      &state, err);

	if (r < 0 || state == REMOVAL_DONE)
		return r;
	if (state == REMOVAL_ALONE)
		return removal_drop_image(merge->domain, merge->point->point,
					  target, err);
	if (state == REMOVAL_COVERED) {
		r = copy_down(merge, moved_bytes, err);
		if (r == 0)
			r = removal_merge_sums(merge->domain, merge->point,
					       target, merge->child, err);
	}
	if (r == 0)
		r = removal_replace_image(merge->domain, merge->point, target,
					  merge->child, err);
	return r;
}

int prune_point_finish(const struct repo_domain *domain,
		       const struct catalog *catalog,
		       const struct manifest *point, uint64_t *moved_bytes,
		       struct ui *ui, struct err *err)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < point->nr_disks; i++) {
		_cleanup_merge_ struct merge merge;

		r = merge_init(&merge, domain, catalog, point, &point->disks[i],
			       ui, err);
		if (r == 0)
			r = finish_disk(&merge, moved_bytes, err);
	}
	return r < 0 ? r : removal_end(domain, catalog, point, err);
}
