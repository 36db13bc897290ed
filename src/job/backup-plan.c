/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the target misses: what is pending, or all if there is a doubt. */
#include <string.h>

#include "job/backup-parts.h"
#include "job/doubt.h"

/* A chain of 100 images is read at a quarter of the speed of one, a chain of
 * 500 at a fiftieth. */
#define DEPTH_WARNED 128
#define DEPTH_REFUSED 500

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
	bool matches;
	int r;

	if (!backup->target->is_mirror || pending->reason != PENDING_TRACKED)
		return 0;
	r = target_check_tail(backup->target, pending, &matches, err);
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

static void say_full(struct backup *backup, size_t i, const char *reason)
{
	const struct session_disk *disk = &backup->session->disks[i];
	const char *target = disk->disk->target;
	bool compared =
		*target_backing(backup->target, target, disk->size_bytes);

	ui_warn(backup->ui, "%s: %s: %s: %s", backup->session->domain->name,
		target, reason,
		compared ? "comparing all of it with the sums of what is there"
			 : "sending all of it");
}

/*
 * Each image under another makes reading slower, and from about 1,020 on QEMU
 * does not open them at all.
 */
static int check_depth(struct backup *backup, const char *disk, struct err *err)
{
	size_t depth = target_depth(backup->target, disk);

	if (depth <= DEPTH_WARNED || backup->nr_cuts)
		return 0;
	if (depth >= DEPTH_REFUSED)
		return fail(err, -EMLINK,
			    "%s: %s has %zu images on top of one another, "
			    "which is too slow to be of use; run 'dsync-vm "
			    "prune %s %s'",
			    backup->target->location, disk, depth,
			    backup->session->domain->name,
			    backup->target->location);
	ui_warn(backup->ui,
		"%s: %s has %zu images on top of one another and gets slow; "
		"'dsync-vm prune' with fewer points to keep makes it faster",
		backup->target->location, disk, depth);
	return 0;
}

/* A cut that goes on with what another one of this run had sent. A mirror may
 * be another one by now. */
static bool goes_on(const struct backup *backup, const struct pending *pending)
{
	return !backup->target->is_mirror &&
	       pending_is_of_run(pending, backup->run);
}

/* The doubt there is, but for what the run has begun with. */
static const char *find_doubt(const struct backup *backup, size_t i)
{
	const struct pending *pending = backup->pending[i];

	if (goes_on(backup, pending) && (backup->report->disks[i].full ||
					 pending->reason == PENDING_TRACKED))
		return doubt_since_cut(backup->session, i, pending);
	return doubt_about(backup->session, i, pending,
			   target_is_paired(backup->target, pending));
}

static void look_for_doubt(struct backup *backup, size_t i)
{
	struct backup_disk *report = &backup->report->disks[i];
	const char *reason = find_doubt(backup, i);

	if (!reason)
		return;
	report->full = true;
	snprintf(report->reason, sizeof(report->reason), "%s", reason);
	if (!is_first(backup, i) || !session_is_tracked(backup->session)) {
		backup->report->resynced = true;
		say_full(backup, i, reason);
	}
	pending_distrust(backup->pending[i], PENDING_GAP);
}

static int begin_run(struct backup *backup, struct pending *pending,
		     struct err *err)
{
	if (pending_begin(pending, backup->target->location,
			  backup->target->point) < 0)
		return fail(err, -ENOMEM, "out of memory");
	if (!goes_on(backup, pending) &&
	    pending_begin_run(pending, backup->run) < 0)
		return fail(err, -ENOMEM, "out of memory");
	return pending_store(backup->session->state_dir, pending, err);
}

static int plan_disk(struct backup *backup, size_t i, struct err *err)
{
	const struct session_disk *disk = &backup->session->disks[i];
	const struct pending_disk where =
		session_pending_disk(backup->session, i);
	struct backup_disk *report = &backup->report->disks[i];
	int r = pending_load(&where, backup->target->id, &backup->pending[i],
			     err);

	if (r == 0)
		r = check_mirror(backup, i, err);
	if (r == 0)
		r = check_depth(backup, where.disk, err);
	if (r < 0)
		return r;
	snprintf(report->target, sizeof(report->target), "%s", where.disk);
	report->size_bytes = where.size_bytes;
	report->block_bytes = where.block_bytes;
	look_for_doubt(backup, i);
	r = target_add_damaged(backup->target, backup->pending[i], err);
	if (r < 0)
		return r;
	pending_at_epoch(backup->pending[i], disk->tracker.epoch);
	accept_newest(backup, backup->pending[i]);
	return begin_run(backup, backup->pending[i], err);
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
	if (!backup->report->disks)
		backup->report->disks =
			calloc(nr_disks, sizeof(struct backup_disk));
	if (!backup->pending || !backup->report->disks)
		return fail(err, -ENOMEM, "out of memory");
	backup->report->nr_disks = nr_disks;
	r = target_begin(backup->target, time(NULL), err);
	for (size_t i = 0; i < nr_disks && r == 0; i++)
		r = plan_disk(backup, i, err);
	return r;
}
