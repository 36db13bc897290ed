/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What all targets have in common: the newest points, and who they belong to. */
#include "job/target.h"

#include <string.h>

#include "base/err.h"
#include "job/far-uri.h"
#include "job/sieve.h"
#include "job/target-ops.h"
#include "job/target-repo.h"
#include "repo/manifest.h"
#include "repo/mirror.h"
#include "repo/pending.h"

int target_known_id(const char *state_dir, const char *location,
		    char ret_id[UUID_SIZE], struct err *err)
{
	_cleanup_pending_targets_ struct pending_targets *known = NULL;
	int r = pending_targets(state_dir, &known, err);

	ret_id[0] = '\0';
	for (size_t i = 0; r == 0 && i < known->nr_targets; i++)
		if (strcmp(known->targets[i].location, location) == 0)
			memcpy(ret_id, known->targets[i].repo_id, UUID_SIZE);
	return r;
}

/* A repository of this host is known by its path without symlinks. */
static int open_here(const char *path, const struct target_owner *owner,
		     ship_cancel cancelled, struct ui *ui,
		     struct target **ret_target, struct err *err)
{
	_cleanup_free_ char *resolved = realpath(path, NULL);
	char known_id[UUID_SIZE];
	struct target_repo *repo;
	int r = target_known_id(owner->state_dir, resolved ? resolved : path,
				known_id, err);

	if (r == 0)
		r = target_repo_open(path, owner, known_id, cancelled, ui,
				     &repo, err);
	if (r == 0)
		*ret_target = &repo->target;
	return r;
}

int target_open(const char *spec, const struct target_owner *owner,
		ship_cancel cancelled, struct target **ret_target,
		struct ui *ui, struct err *err)
{
	if (owner->seed)
		return target_open_seed(owner->seed, owner, cancelled,
					ret_target, err);
	if (far_is_uri(spec))
		return target_open_far(spec, owner, cancelled, ui, ret_target,
				       err);
	if (mirror_is_uri(spec))
		return target_open_mirror(spec, owner, cancelled, ret_target,
					  err);
	return open_here(spec, owner, cancelled, ui, ret_target, err);
}

void target_close(struct target *target)
{
	if (!target)
		return;
	free(TAKE_PTR(target->location));
	free(TAKE_PTR(target->heads));
	target->ops->close(target);
}

/* -------------------------------------------------------- newest points */

static const struct target_head *find_head(const struct target *target,
					   const char *disk)
{
	for (size_t i = 0; i < target->nr_heads; i++)
		if (strcmp(target->heads[i].disk, disk) == 0)
			return &target->heads[i];
	return NULL;
}

const char *target_newest(const struct target *target, const char *disk)
{
	const struct target_head *head = find_head(target, disk);

	return head ? head->point : "";
}

bool target_is_paired(const struct target *target,
		      const struct pending *pending)
{
	const struct target_head *head = find_head(target, pending->disk);

	if (target->is_mirror)
		return true;
	if (!head)
		return !pending->newest[0];
	return pending_is_at(pending, head->point);
}

const char *target_backing(const struct target *target, const char *disk,
			   uint64_t size_bytes)
{
	const struct target_head *head = find_head(target, disk);

	return head && head->size_bytes <= size_bytes ? head->point : "";
}

size_t target_depth(const struct target *target, const char *disk)
{
	const struct target_head *head = find_head(target, disk);

	return head ? head->depth : 0;
}

/* ---------------------------------------------------------------- a run */

int target_add_damaged(struct target *target, struct pending *pending,
		       struct err *err)
{
	_cleanup_bitmap_ struct bitmap *damaged = NULL;
	int r;

	if (!target->ops->find_damaged)
		return 0;
	damaged = bitmap_new(pending->map->nr_blocks);
	if (!damaged)
		return fail(err, -ENOMEM, "out of memory");
	r = target->ops->find_damaged(target, pending, damaged, err);
	if (r == 0)
		pending_add(pending, damaged);
	return r;
}

int target_check_tail(struct target *target, const struct pending *pending,
		      bool *ret_matches, struct err *err)
{
	*ret_matches = true;
	return target->ops->check_tail
		       ? target->ops->check_tail(target, pending, ret_matches,
						 err)
		       : 0;
}

int target_begin(struct target *target, time_t now, struct err *err)
{
	return target->ops->begin(target, now, err);
}

int target_begin_disk(struct target *target, const struct pending *pending,
		      struct target_disk *ret_disk, struct err *err)
{
	*ret_disk = (struct target_disk){.ops = target->ops};
	snprintf(ret_disk->disk, sizeof(ret_disk->disk), "%s", pending->disk);
	snprintf(ret_disk->backing, sizeof(ret_disk->backing), "%s",
		 target_backing(target, pending->disk, pending->size_bytes));
	return target->ops->begin_disk(target, pending, ret_disk, err);
}

int target_open_window(struct target *target, struct target_disk *disk,
		       const struct pending *pending, uint64_t first,
		       uint64_t end, struct err *err)
{
	return target->ops->open_window
		       ? target->ops->open_window(target, disk, pending, first,
						  end, err)
		       : 0;
}

int target_close_window(struct target *target, struct target_disk *disk,
			const struct pending *pending, struct err *err)
{
	return target->ops->close_window
		       ? target->ops->close_window(target, disk, pending, err)
		       : 0;
}

int target_end_disk(struct target *target, struct target_disk *disk,
		    const struct pending *pending, struct err *err)
{
	ship_dest_close(TAKE_PTR(disk->dest));
	return target->ops->end_disk
		       ? target->ops->end_disk(target, disk, pending, err)
		       : 0;
}

void target_drop_disk(struct target_disk *disk)
{
	if (disk->dest)
		ship_dest_close(TAKE_PTR(disk->dest));
	if (disk->line)
		disk->ops->drop_line(TAKE_PTR(disk->line));
	if (disk->sieve)
		sieve_free(TAKE_PTR(disk->sieve));
}

int target_commit(struct target *target, struct manifest *manifest,
		  struct err *err)
{
	memcpy(manifest->point, target->point, sizeof(manifest->point));
	memcpy(manifest->repo_id, target->id, sizeof(manifest->repo_id));
	return target->ops->commit ? target->ops->commit(target, manifest, err)
				   : 0;
}

void target_abandon(struct target *target)
{
	if (target->ops->abandon)
		target->ops->abandon(target);
}

int target_thin_out(struct target *target, const struct keep *keep,
		    size_t *ret_removed, struct err *err)
{
	*ret_removed = 0;
	return target->ops->thin_out
		       ? target->ops->thin_out(target, keep, ret_removed, err)
		       : 0;
}
