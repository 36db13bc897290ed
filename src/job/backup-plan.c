/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the target misses.  A disk is shipped incrementally only if three
 * things meet: the target is where our last run left it, the pending set says
 * so without a doubt, and the tracker has watched since then.  Each doubt has
 * a sentence for the admin and means all of the disk.
 */
#include <string.h>

#include "job/backup-parts.h"
#include "job/tail-check.h"
#include "repo/mirror.h"

struct pending_disk backup_pending_disk(const struct backup *backup, size_t i)
{
	const struct session_disk *disk = &backup->session->disks[i];

	return (struct pending_disk){
		.state_dir = backup->session->state_dir,
		.domain_uuid = backup->session->uuid,
		.disk = disk->disk->target,
		.size_bytes = disk->size_bytes,
		.block_bytes = disk->tracker.block_sectors * 512,
		.tracker = disk->tracker.uuid,
	};
}

/* Why everything must be shipped, or NULL. */
static const char *full_reason(const struct backup *backup, size_t i)
{
	const struct session_disk *disk = &backup->session->disks[i];
	const struct pending *pending = backup->pending[i];

	if (disk->tracker.state == TRACKER_UNTRACKED)
		return "changes are not tracked: the module dm-dsync was "
		       "missing when the domain was started";
	if (!session_is_tracked(backup->session))
		return "another disk is not tracked, so no cut can be taken";
	if (!target_is_paired(backup->target, pending))
		return pending->newest[0] || pending->reason != PENDING_NEW
			       ? "the target is not where our last run left it"
			       : "this host has no record of the points there";
	if (pending->reason != PENDING_TRACKED)
		return pending_reason_text(pending->reason);
	if (disk->tracker.state == TRACKER_LOST)
		return "tracking was lost since the last backup";
	if (!pending_follows(pending, disk->tracker.epoch))
		return "tracking began anew since the last backup";
	return NULL;
}

/* Nothing was ever shipped there: full, but nothing was lost either. */
static bool is_first(const struct backup *backup, size_t i)
{
	const struct pending *pending = backup->pending[i];

	return pending->reason == PENDING_NEW &&
	       target_is_paired(backup->target, pending);
}

/* A mirror's content is what it is known by. */
static int check_mirror(struct backup *backup, size_t i, struct err *err)
{
	struct pending *pending = backup->pending[i];
	_cleanup_free_ char *uri = NULL;
	bool matches;
	int r;

	if (!backup->target->is_mirror || pending->reason != PENDING_TRACKED)
		return 0;
	uri = mirror_disk_uri(backup->target->location, pending->disk);
	if (!uri)
		return fail(err, -ENOMEM, "out of memory");
	r = tail_check(uri, pending, backup->cancelled, &matches, err);
	if (r == 0 && !matches)
		pending_distrust(pending, PENDING_FOREIGN);
	return r;
}

/* A commit whose acknowledgement was lost is acknowledged now, before this
 * run's attempt takes its place. */
static void accept_newest(const struct backup *backup, struct pending *pending)
{
	if (!backup->target->is_mirror &&
	    target_is_paired(backup->target, pending))
		snprintf(pending->newest, POINT_SIZE, "%s",
			 target_newest(backup->target, pending->disk));
}

static int plan_disk(struct backup *backup, size_t i, struct err *err)
{
	const struct session_disk *disk = &backup->session->disks[i];
	const struct pending_disk where = backup_pending_disk(backup, i);
	struct backup_disk *report = &backup->report->disks[i];
	const char *reason;
	int r = pending_load(&where, backup->target->id, &backup->pending[i],
			     err);

	if (r == 0)
		r = check_mirror(backup, i, err);
	if (r < 0)
		return r;
	snprintf(report->target, sizeof(report->target), "%s", where.disk);
	report->size_bytes = where.size_bytes;
	report->block_bytes = where.block_bytes;
	reason = full_reason(backup, i);
	if (reason) {
		report->full = true;
		snprintf(report->reason, sizeof(report->reason), "%s", reason);
		if (!is_first(backup, i) ||
		    !session_is_tracked(backup->session)) {
			backup->report->resynced = true;
			ui_warn(backup->ui, "%s: %s: %s: sending all of it",
				backup->session->domain->name, where.disk,
				reason);
		}
		pending_distrust(backup->pending[i], PENDING_GAP);
	}
	pending_at_epoch(backup->pending[i], disk->tracker.epoch);
	accept_newest(backup, backup->pending[i]);
	if (pending_begin(backup->pending[i], backup->target->location,
			  backup->target->point) < 0)
		return fail(err, -ENOMEM, "out of memory");
	return pending_store(where.state_dir, backup->pending[i], err);
}

/* What building the devices of a stopped domain had to say. */
static void say_notes(const struct backup *backup)
{
	const struct session *session = backup->session;

	for (size_t i = 0; i < session->nr_disks; i++)
		if (session->reports[i].note[0])
			ui_warn(backup->ui, "%s: %s: %s", session->domain->name,
				session->disks[i].disk->target,
				session->reports[i].note);
}

int backup_plan(struct backup *backup, struct err *err)
{
	size_t nr_disks = backup->session->nr_disks;
	int r;

	say_notes(backup);
	backup->pending = calloc(nr_disks, sizeof(*backup->pending));
	backup->report->disks = calloc(nr_disks, sizeof(struct backup_disk));
	if (!backup->pending || !backup->report->disks)
		return fail(err, -ENOMEM, "out of memory");
	backup->report->nr_disks = nr_disks;
	r = target_begin(backup->target, time(NULL), err);
	for (size_t i = 0; i < nr_disks && r == 0; i++)
		r = plan_disk(backup, i, err);
	return r;
}
