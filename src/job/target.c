/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A repository's qemu-nbd is ours, on a private socket, one for each disk; a
 * mirror's server belongs to somebody else and is only connected to.
 */
#include "job/target.h"

#include <string.h>

#include "base/err.h"
#include "base/io.h"
#include "job/session.h"
#include "job/ui.h"
#include "repo/image.h"
#include "repo/mirror.h"

static int open_mirror(struct target *target, const struct session *session,
		       struct err *err)
{
	if (session->nr_disks > 1 && !strstr(target->location, "{disk}"))
		return fail(err, -EINVAL,
			    "%s: %s has %zu disks: put {disk} where the URI "
			    "names the export or the socket",
			    target->location, session->domain->name,
			    session->nr_disks);
	target->is_mirror = true;
	mirror_id(target->location, target->id);
	return 0;
}

/* The id of the repository that was at @path at the last backup, or NULL. */
static const char *known_id(const struct pending_targets *known,
			    const char *path)
{
	_cleanup_free_ char *resolved = realpath(path, NULL);

	for (size_t i = 0; resolved && i < known->nr_targets; i++)
		if (strcmp(known->targets[i].location, resolved) == 0)
			return known->targets[i].repo_id;
	return NULL;
}

/*
 * An empty directory where there was a repository is a disk that is not
 * mounted: it must not be filled with a first backup.
 */
static int open_or_create(struct target *target, const struct session *session,
			  struct ui *ui, struct err *err)
{
	_cleanup_pending_targets_ struct pending_targets *known = NULL;
	bool created = false;
	const char *id;
	int r = pending_targets(session->state_dir, &known, err);

	if (r < 0)
		return r;
	id = known_id(known, target->location);
	if (!id)
		r = repo_open_or_create(target->location, &target->repo,
					&created, err);
	else if (repo_open(target->location, &target->repo, NULL) < 0)
		r = fail(err, -ESTALE,
			 "%s: was repository %s at the last backup and is none "
			 "now: is it mounted? If it is gone for good, remove "
			 "%s/pending/%s",
			 target->location, id, session->state_dir, id);
	if (created)
		ui_note(ui, "%s: new repository %s", target->location,
			target->repo->id);
	return r;
}

static int open_repository(struct target *target, const struct session *session,
			   struct ui *ui, struct err *err)
{
	unsigned int removed = 0;
	int r = open_or_create(target, session, ui, err);

	if (r < 0)
		return r;
	free(target->location);
	target->location = strdup(target->repo->path);
	if (!target->location)
		return fail(err, -ENOMEM, "out of memory");
	memcpy(target->id, target->repo->id, sizeof(target->id));
	r = repo_domain_lock(target->repo, session->domain->name, session->uuid,
			     &target->domain, err);
	if (r == 0)
		r = catalog_load(target->domain, &target->catalog, err);
	if (r < 0)
		return r;
	for (size_t i = 0; i < target->catalog->nr_problems; i++)
		ui_warn(ui, "%s", target->catalog->problems[i]);
	r = image_discard_leftovers(target->domain, target->catalog, &removed,
				    err);
	if (removed)
		ui_note(ui, "%s: removed %u files of an unfinished run",
			target->location, removed);
	return r;
}

int target_open(const char *spec, const struct session *session,
		struct target **ret_target, struct ui *ui, struct err *err)
{
	_cleanup_target_ struct target *target = calloc(1, sizeof(*target));
	int r;

	if (!target)
		return fail(err, -ENOMEM, "out of memory");
	target->location = strdup(spec);
	if (!target->location)
		return fail(err, -ENOMEM, "out of memory");
	if (mirror_is_uri(spec))
		r = open_mirror(target, session, err);
	else
		r = open_repository(target, session, ui, err);
	if (r == 0)
		*ret_target = TAKE_PTR(target);
	return r;
}

void target_close(struct target *target)
{
	if (!target)
		return;
	catalog_free(target->catalog);
	repo_domain_close(target->domain);
	repo_close(target->repo);
	free(target->location);
	free(target);
}

const char *target_newest(const struct target *target, const char *disk)
{
	const struct manifest *newest;

	if (target->is_mirror)
		return "";
	newest = catalog_newest_with_disk(target->catalog, disk);
	return newest ? newest->point : "";
}

bool target_is_paired(const struct target *target,
		      const struct pending *pending)
{
	const struct manifest *newest;

	if (target->is_mirror)
		return true;
	newest = catalog_newest_with_disk(target->catalog, pending->disk);
	if (!newest)
		return !pending->newest[0];
	return strcmp(newest->point, pending->newest) == 0 ||
	       strcmp(newest->point, pending->attempt) == 0;
}

int target_begin(struct target *target, time_t now, struct err *err)
{
	if (!target->is_mirror)
		return catalog_new_point(target->catalog, now, target->point,
					 err);
	point_stamp(now, target->point);
	return 0;
}

static int begin_mirror_disk(struct target *target, const char *disk,
			     ship_cancel cancelled,
			     struct target_disk *ret_disk, struct err *err)
{
	_cleanup_free_ char *uri = mirror_disk_uri(target->location, disk);

	if (!uri)
		return fail(err, -ENOMEM, "out of memory");
	return ship_dest_open(uri, cancelled, &ret_disk->dest, err);
}

/* An overlay on the newest image, unless the disk shrank: then its content is
 * not what lies under the overlay. */
static void choose_backing(const struct target *target, uint64_t size_bytes,
			   struct target_disk *disk)
{
	const struct manifest *newest =
		catalog_newest_with_disk(target->catalog, disk->disk);
	const struct manifest_disk *below =
		newest ? manifest_find_disk(newest, disk->disk) : NULL;

	if (below && below->size_bytes <= size_bytes)
		memcpy(disk->backing, newest->point, sizeof(disk->backing));
	disk->is_zero = !disk->backing[0];
}

static int begin_image(struct target *target, uint64_t size_bytes,
		       ship_cancel cancelled, struct target_disk *disk,
		       struct err *err)
{
	_cleanup_free_ char *path = NULL;
	struct ship_image image = {.format = "qcow2"};
	int r;

	choose_backing(target, size_bytes, disk);
	r = image_create_partial(target->domain, disk->disk, target->point,
				 size_bytes, disk->backing, &path, err);
	if (r < 0)
		return r;
	image.path = path;
	r = ship_server_start(&image, &disk->server, err);
	if (r == 0)
		r = ship_server_open_dest(disk->server, cancelled, &disk->dest,
					  err);
	return r;
}

int target_begin_disk(struct target *target, const char *disk,
		      uint64_t size_bytes, ship_cancel cancelled,
		      struct target_disk *ret_disk, struct err *err)
{
	*ret_disk = (struct target_disk){.disk = disk};
	if (target->is_mirror)
		return begin_mirror_disk(target, disk, cancelled, ret_disk,
					 err);
	return begin_image(target, size_bytes, cancelled, ret_disk, err);
}

int target_end_disk(struct target *target, struct target_disk *disk,
		    struct err *err)
{
	int r;

	ship_dest_close(TAKE_PTR(disk->dest));
	if (target->is_mirror)
		return 0;
	r = ship_server_stop(TAKE_PTR(disk->server), err);
	if (r == 0)
		r = image_finish(target->domain, disk->disk, target->point,
				 err);
	return r;
}

void target_drop_disk(struct target_disk *disk)
{
	if (disk->dest)
		ship_dest_close(TAKE_PTR(disk->dest));
	if (disk->server)
		ship_server_kill(TAKE_PTR(disk->server));
}

int target_commit(struct target *target, struct manifest *manifest,
		  struct err *err)
{
	const struct manifest *newest;

	if (target->is_mirror)
		return 0;
	newest = catalog_newest(target->catalog);
	if (newest)
		memcpy(manifest->parent, newest->point,
		       sizeof(manifest->parent));
	memcpy(manifest->point, target->point, sizeof(manifest->point));
	memcpy(manifest->repo_id, target->id, sizeof(manifest->repo_id));
	return manifest_commit(target->domain, manifest, err);
}

/*
 * What is committed is asked of the disk, not of what was read at the start:
 * a commit may have failed after its rename.
 */
void target_abandon(struct target *target)
{
	_cleanup_catalog_ struct catalog *now = NULL;
	unsigned int removed;

	if (!target->is_mirror && catalog_load(target->domain, &now, NULL) == 0)
		(void)image_discard_leftovers(target->domain, now, &removed,
					      NULL);
}
