/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A run holds the domain's lock from before it looks until it is closed. */
#include "job/target-repo.h"

#include <string.h>

#include "base/err.h"
#include "base/keep.h"
#include "job/prune.h"
#include "job/sieve.h"
#include "job/target-image.h"
#include "job/target-ops.h"
#include "job/ui.h"
#include "repo/catalog.h"
#include "repo/domain.h"
#include "repo/leftovers.h"
#include "repo/manifest.h"
#include "repo/pending.h"
#include "repo/repo.h"
#include "ship/server.h"

/* How a disk's blocks get to an image here: what target_disk calls a line. */
struct target_line {
	struct target_image image;
};

static int open_or_create(struct target_repo *to, const char *path,
			  const struct target_owner *owner,
			  const char *known_id, struct err *err)
{
	bool created = false;
	int r;

	if (!known_id[0])
		r = repo_open_or_create(path, &to->repo, &created, err);
	else if (repo_open(path, &to->repo, NULL) < 0)
		r = fail(err, -ESTALE,
			 "%s: was repository %s at the last backup and is none "
			 "now: is it mounted? If it is gone for good, remove "
			 "%s/pending/%s",
			 path, known_id, owner->state_dir, known_id);
	else
		r = 0;
	if (created)
		ui_note(to->target.ui, "%s: new repository %s", path,
			to->repo->id);
	return r;
}

/* Nothing, if no way leads from the newest point to one that has the disk:
 * parents may be missing, or go round in a circle. It begins anew then. */
static int add_head(struct target_repo *to, const char *disk, struct err *err)
{
	struct target *target = &to->target;
	const struct manifest *newest =
		catalog_newest_with_disk(to->catalog, disk);
	struct target_head *heads, *head;

	if (!newest)
		return 0;
	heads = reallocarray(target->heads, target->nr_heads + 1,
			     sizeof(*heads));
	if (!heads)
		return fail(err, -ENOMEM, "out of memory");
	target->heads = heads;
	head = &heads[target->nr_heads++];
	*head = (struct target_head){
		.size_bytes = manifest_find_disk(newest, disk)->size_bytes};
	snprintf(head->disk, sizeof(head->disk), "%s", disk);
	memcpy(head->point, newest->point, sizeof(head->point));
	/* A gap in the chain matters to who wants to go on with it. */
	if (catalog_chain_depth(to->catalog, newest, disk, &head->depth, NULL))
		head->depth = 0;
	return 0;
}

static int find_heads(struct target_repo *to, struct err *err)
{
	int r = 0;

	for (size_t i = 0; i < to->catalog->nr_points && r == 0; i++) {
		const struct manifest *point = to->catalog->points[i];

		for (size_t j = 0; j < point->nr_disks && r == 0; j++)
			if (!*target_newest(&to->target,
					    point->disks[j].target))
				r = add_head(to, point->disks[j].target, err);
	}
	return r;
}

static int look_around(struct target_repo *to, const struct target_owner *owner,
		       struct err *err)
{
	struct ui *ui = to->target.ui;
	unsigned int removed = 0;
	int r = repo_domain_lock(to->repo, owner->name, owner->uuid,
				 &to->domain, err);

	if (r == 0)
		r = catalog_load(to->domain, &to->catalog, err);
	if (r < 0)
		return r;
	for (size_t i = 0; i < to->catalog->nr_problems; i++)
		ui_warn(ui, "%s", to->catalog->problems[i]);
	r = leftovers_discard(to->domain, to->catalog, &removed, err);
	if (removed)
		ui_note(ui, "%s: removed %u files of an unfinished run",
			to->repo->path, removed);
	return r < 0 ? r : find_heads(to, err);
}

/* ---------------------------------------------------------------- a run */

static int find_damaged(struct target *target, const struct pending *pending,
			struct bitmap *damaged, struct err *err)
{
	return target_image_find_damaged((struct target_repo *)target, pending,
					 damaged, err);
}

/* What was sent for the last point is kept under its name, if it did not come
 * to be. */
static int begin(struct target *target, time_t now, struct err *err)
{
	struct target_repo *to = (struct target_repo *)target;
	int r = catalog_new_point(to->catalog, now, to->last_point,
				  target->point, err);

	memcpy(to->last_point, target->point, sizeof(to->last_point));
	return r;
}

static int begin_disk(struct target *target, const struct pending *pending,
		      struct target_disk *disk, struct err *err)
{
	struct target_repo *to = (struct target_repo *)target;
	struct target_image *image;
	int r;

	disk->line = calloc(1, sizeof(*disk->line));
	if (!disk->line)
		return fail(err, -ENOMEM, "out of memory");
	image = &disk->line->image;
	r = target_image_begin(to, pending, image, err);
	if (r < 0)
		return r;
	disk->resumed = image->resumable;
	r = sieve_new(target->id, !disk->backing[0], pending->size_bytes,
		      &image->known.ledger, &disk->sieve, err);
	return r < 0 ? r
		     : ship_server_open_dest(image->server, to->cancelled,
					     &disk->dest, err);
}

static int open_window(struct target *target, struct target_disk *disk,
		       const struct pending *pending, uint64_t first,
		       uint64_t end, struct err *err)
{
	return target_image_open_window((struct target_repo *)target,
					&disk->line->image, pending, first, end,
					err);
}

static int close_window(struct target *target, struct target_disk *disk,
			const struct pending *pending, struct err *err)
{
	return target_image_close_window((struct target_repo *)target,
					 &disk->line->image, pending, err);
}

static int end_disk(struct target *target, struct target_disk *disk,
		    const struct pending *pending, struct err *err)
{
	return target_image_end((struct target_repo *)target,
				&disk->line->image, pending, err);
}

static void drop_line(struct target_line *line)
{
	target_image_drop(&line->image);
	free(line);
}

static int commit(struct target *target, struct manifest *manifest,
		  struct err *err)
{
	const struct target_repo *to = (struct target_repo *)target;
	const struct manifest *newest = catalog_newest(to->catalog);

	snprintf(manifest->parent, sizeof(manifest->parent), "%s",
		 newest ? newest->point : "");
	return manifest_commit(to->domain, manifest, err);
}

/*
 * What is committed is asked of the disk, not of what was read at the start:
 * a commit may have failed after its rename.
 */
static void abandon(struct target *target)
{
	const struct target_repo *to = (struct target_repo *)target;
	_cleanup_catalog_ struct catalog *now = NULL;
	unsigned int removed;

	if (catalog_load(to->domain, &now, NULL) == 0)
		(void)leftovers_discard(to->domain, now, &removed, NULL);
}

static int thin_out(struct target *target, const struct keep *keep,
		    size_t *ret_removed, struct err *err)
{
	const struct target_repo *to = (struct target_repo *)target;
	struct prune_report report = {0};
	int r = prune_domain(to->domain, keep, false, &report, target->ui, err);

	*ret_removed = report.nr_removed;
	prune_report_free(&report);
	return r;
}

static void close_repo(struct target *target)
{
	struct target_repo *to = (struct target_repo *)target;

	catalog_free(to->catalog);
	repo_domain_close(to->domain);
	repo_close(to->repo);
	free(to);
}

static const struct target_ops ops = {
	.find_damaged = find_damaged,
	.begin = begin,
	.begin_disk = begin_disk,
	.open_window = open_window,
	.close_window = close_window,
	.end_disk = end_disk,
	.drop_line = drop_line,
	.commit = commit,
	.abandon = abandon,
	.thin_out = thin_out,
	.close = close_repo,
};

int target_repo_open(const char *path, const struct target_owner *owner,
		     const char *known_id, ship_cancel cancelled, struct ui *ui,
		     struct target_repo **ret_repo, struct err *err)
{
	_cleanup_target_ struct target *target = NULL;
	struct target_repo *to = calloc(1, sizeof(*to));
	int r;

	if (!to)
		return fail(err, -ENOMEM, "out of memory");
	target = &to->target;
	target->ops = &ops;
	target->ui = ui;
	to->cancelled = cancelled;
	memcpy(target->domain_uuid, owner->uuid, UUID_SIZE);
	r = open_or_create(to, path, owner, known_id, err);
	if (r < 0)
		return r;
	memcpy(target->id, to->repo->id, sizeof(target->id));
	target->location = strdup(to->repo->path);
	if (!target->location)
		return fail(err, -ENOMEM, "out of memory");
	r = look_around(to, owner, err);
	if (r < 0)
		return r;
	TAKE_PTR(target);
	*ret_repo = to;
	return 0;
}
