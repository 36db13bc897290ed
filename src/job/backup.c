/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The order in which things become durable is what a backup is:
 *
 *	pending sets know what the target misses   before the cut
 *	frozen is in every target's pending set    before the first block ships
 *	images are flushed and in place            before the manifest
 *	the manifest commits the point             before pending is cleared
 *	pending is cleared                         before the epoch ends
 *
 * A run that ends anywhere in between, by failure or by SIGKILL, has said too
 * little rather than too much: the next one ships a superset.
 */
#include "job/backup.h"

#include <fcntl.h>
#include <string.h>

#include "base/io.h"
#include "dm/trust.h"
#include "dm/use.h"
#include "job/backup-parts.h"
#include "job/interrupt.h"

/* ---------------------------------------------------------------- the cut */

/*
 * What the host's page cache still holds goes through the device now, not
 * between suspend and resume, and so do the bitmaps.  Metadata that cannot be
 * written does not matter: what is in RAM is right.
 */
static int quieten(struct backup *backup, struct err *err)
{
	for (size_t i = 0; i < backup->session->nr_disks; i++) {
		const char *name = backup->session->stacks[i].name;
		_cleanup_free_ char *path = io_format(PLACE_MAPPER "%s", name);
		_cleanup_close_ int fd = path ? open(path, O_RDONLY | O_CLOEXEC)
					      : -1;

		if (fd < 0 || fsync(fd) < 0)
			return fail_errno(err, -errno, PLACE_MAPPER "%s", name);
		(void)tracker_flush(name, NULL);
	}
	return 0;
}

/*
 * While the metadata fails, the changes are only known in RAM: should the host
 * crash, nothing must believe what is left of it.
 */
static void distrust(struct backup *backup, size_t i)
{
	const struct session *session = backup->session;
	struct err err = {0};
	_cleanup_close_ int lock =
		use_lock(session->uuid, USE_LOCK_WAIT_MS, &err);

	if (lock < 0 || trust_forget(session->state_dir,
				     session->disks[i].disk->target, &err) < 0)
		ui_warn(backup->ui, "%s: %s", session->domain->name, err.text);
}

static void say_state(struct backup *backup, size_t i)
{
	const struct session *session = backup->session;
	const struct session_disk *disk = &session->disks[i];
	const struct tracker_status *tracker = &disk->tracker;
	char size[16];

	if (tracker->state == TRACKER_RECOVERED && tracker->suspect)
		ui_note(backup->ui,
			"%s: %s: was not shut down cleanly: %s count as "
			"changed that may not be",
			session->domain->name, disk->disk->target,
			ui_size(size, tracker->suspect *
					      tracker->block_sectors * 512));
	if (tracker->state != TRACKER_DEGRADED)
		return;
	ui_warn(backup->ui,
		"%s: %s: degraded: its metadata device fails, and changes are "
		"kept in memory only (the kernel log says more)",
		session->domain->name, disk->disk->target);
	distrust(backup, i);
}

static int start_watchdog(struct backup *backup, struct err *err)
{
	const struct session *session = backup->session;
	const struct watchdog_plan plan = {
		.connect = session->connect,
		.domain_uuid = session->uuid,
		.disks = session->stacks,
		.nr_disks = session->nr_disks,
		.freeze_deadline_ms =
			instant_deadline_ms(&backup->request->instant),
		.suspend_deadline_ms = INSTANT_SUSPEND_DEADLINE_MS,
	};

	return watchdog_start(&plan, &backup->watchdog, err);
}

static int merge_frozen(struct backup *backup, size_t i, struct err *err)
{
	const struct pending_disk where = backup_pending_disk(backup, i);
	_cleanup_bitmap_ struct bitmap *frozen = NULL;
	unsigned int gaps = 0;
	int r = tracker_read_map(backup->session->stacks[i].name,
				 TRACKER_MAP_FROZEN, &frozen, err);

	if (r == 0)
		r = pending_merge_all(&where, frozen,
				      backup->session->disks[i].tracker.epoch,
				      backup->instant.epoch, &gaps, err);
	if (r < 0)
		return r;
	if (gaps)
		ui_warn(backup->ui,
			"%s: %u other targets of %s missed a cut; their next "
			"backup sends all of it",
			backup->session->domain->name, gaps, where.disk);
	pending_free(TAKE_PTR(backup->pending[i]));
	return pending_load(&where, backup->target->id, &backup->pending[i],
			    err);
}

/* Notices that it was started since the last look; that it was active stays. */
static int look_again(struct backup *backup, struct err *err)
{
	struct vm_dom_state *state = &backup->session->state;
	bool was_active = state->active;
	int r = vm_dom_state(backup->session->dom, state, err);

	state->active |= was_active;
	return r;
}

static int take_cut(struct backup *backup, struct err *err)
{
	int r = backup_hold_begin(backup, err);

	if (r == 0)
		r = quieten(backup, err);
	if (r == 0)
		r = session_refresh(backup->session, err);
	for (size_t i = 0; i < backup->session->nr_disks && r == 0; i++)
		say_state(backup, i);
	/* A stopped domain may have been started since. */
	if (r == 0)
		r = vm_dom_state(backup->session->dom, &backup->session->state,
				 err);
	if (r < 0)
		return r;
	backup->cut_time = time(NULL);
	r = instant_take(backup->session, &backup->request->instant,
			 &backup->watchdog, &backup->instant, backup->ui, err);
	if (r < 0)
		return r;
	backup->epoch_open = true;
	r = look_again(backup, err);
	for (size_t i = 0; i < backup->session->nr_disks && r == 0; i++)
		r = merge_frozen(backup, i, err);
	return r;
}

/* ---------------------------------------------------------- the commitment */

static int settle_disk(struct backup *backup, size_t i, struct err *err)
{
	struct pending *pending = backup->pending[i];
	int r;

	pending_settle(pending, pending->map, backup->target->point);
	if (backup->session->disks[i].tracker.state == TRACKER_UNTRACKED)
		pending_at_epoch(pending, "");
	r = pending_store(backup->session->state_dir, pending, err);
	if (r == 0 && backup->epoch_open)
		r = tracker_epoch_end(backup->session->stacks[i].name,
				      backup->instant.epoch, err);
	return r;
}

/*
 * The disks of a stopped domain stand still; but without holds they were read
 * while it may have been started.
 */
static int check_still_stopped(struct backup *backup, struct err *err)
{
	bool was_active = backup->session->state.active;
	int r = look_again(backup, err);

	if (r == 0 && !was_active && backup->session->state.active)
		ui_warn(backup->ui,
			"%s: was started while its disks were read: the point "
			"is not at one instant",
			backup->session->domain->name);
	return r;
}

static int ship_and_commit(struct backup *backup, struct err *err)
{
	_cleanup_manifest_ struct manifest *manifest = manifest_new();
	char backing[POINT_SIZE];
	int r;

	if (!manifest)
		return fail(err, -ENOMEM, "out of memory");
	r = backup_describe_domain(backup, manifest, err);
	for (size_t i = 0; i < backup->session->nr_disks && r == 0; i++) {
		r = backup_ship_disk(backup, i, backing, err);
		if (r == 0)
			r = backup_describe_disk(backup, manifest, i, backing,
						 err);
	}
	if (r == 0 && !backup->holds)
		r = check_still_stopped(backup, err);
	manifest->consistency = backup_consistency(backup);
	if (r == 0)
		r = target_commit(backup->target, manifest, err);
	if (r < 0) {
		target_abandon(backup->target);
		return r;
	}
	for (size_t i = 0; i < backup->session->nr_disks; i++) {
		int settled = settle_disk(backup, i, err);

		r = r ? r : settled;
	}
	backup->epoch_open = backup->epoch_open && r < 0;
	return r;
}

/* -------------------------------------------------------------- the whole */

/* The frozen set goes back to where the next run finds it. */
static void abort_epoch(struct backup *backup)
{
	for (size_t i = 0; i < backup->session->nr_disks; i++)
		(void)tracker_epoch_abort(backup->session->stacks[i].name,
					  backup->instant.epoch, NULL);
}

static void free_pending(struct backup *backup)
{
	for (size_t i = 0; backup->pending && i < backup->session->nr_disks;
	     i++)
		pending_free(backup->pending[i]);
	free(TAKE_PTR(backup->pending));
}

static void forget_plan(struct backup *backup)
{
	free_pending(backup);
	free(TAKE_PTR(backup->report->disks));
	backup->report->nr_disks = 0;
}

/* One cut, and what comes of it. */
static int attempt(struct backup *backup, bool *ret_hold_lost, struct err *err)
{
	int r = backup_plan(backup, err);

	if (r == 0)
		r = start_watchdog(backup, err);
	backup->cut_time = time(NULL);
	if (r == 0 && session_is_tracked(backup->session))
		r = take_cut(backup, err);
	if (r == 0 && *backup->cancelled)
		r = fail(err, -EINTR, "interrupted");
	if (r == 0)
		r = ship_and_commit(backup, err);
	/* What else failed is no better with another cut. */
	*ret_hold_lost = r == -EIO && backup_hold_is_lost(backup, err);
	if (*ret_hold_lost)
		r = err->code;
	if (r < 0 && backup->epoch_open)
		abort_epoch(backup);
	backup->epoch_open = false;
	backup_hold_end(backup);
	return r;
}

/*
 * A guest that wrote more than a hold has room for may have done so once: it
 * is worth one more cut, but not a third.
 */
static int attempt_twice(struct backup *backup, struct err *err)
{
	bool hold_lost;
	int r = attempt(backup, &hold_lost, err);

	if (!hold_lost)
		return r;
	ui_note(backup->ui, "%s", err->text);
	ui_note(backup->ui, "%s: trying once more, with a new cut",
		backup->session->domain->name);
	err_clear(err);
	watchdog_end(&backup->watchdog);
	forget_plan(backup);
	r = session_refresh(backup->session, err);
	return r < 0 ? r : attempt(backup, &hold_lost, err);
}

static int run(struct backup *backup, struct err *err)
{
	int r = session_open(backup->request->connect, backup->request->domain,
			     &backup->session, err);

	if (r == 0)
		r = target_open(backup->request->target, backup->session,
				&backup->target, backup->ui, err);
	return r < 0 ? r : attempt_twice(backup, err);
}

static int fill_report(struct backup *backup, struct err *err)
{
	struct backup_report *report = backup->report;

	report->domain = strdup(backup->session->domain->name);
	report->location = strdup(backup->target->location);
	if (!report->domain || !report->location)
		return fail(err, -ENOMEM, "out of memory");
	memcpy(report->point, backup->target->point, sizeof(report->point));
	report->consistency = backup_consistency(backup);
	report->freeze_ms = backup->instant.freeze_ms;
	report->suspend_ms = backup->instant.suspend_ms;
	report->warned = backup->ui->nr_warnings > 0;
	return 0;
}

static void close_all(struct backup *backup)
{
	free_pending(backup);
	target_close(backup->target);
	session_close(backup->session);
	watchdog_end(&backup->watchdog);
}

int backup_run(const struct backup_request *request,
	       struct backup_report *ret_report, struct ui *ui, struct err *err)
{
	struct backup backup = {
		.request = request,
		.watchdog.fd = -1,
		.cancelled = interrupt_catch(),
		.report = ret_report,
		.ui = ui,
	};
	uint64_t began_ms = ui_now_ms();
	int r;

	*ret_report = (struct backup_report){0};
	r = run(&backup, err);
	if (r == 0)
		r = fill_report(&backup, err);
	ret_report->spent_ms = ui_now_ms() - began_ms;
	close_all(&backup);
	return r;
}

void backup_report_free(struct backup_report *report)
{
	free(report->domain);
	free(report->location);
	free(report->disks);
}
