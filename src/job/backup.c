/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The order in which things become durable is what a backup is:
 *
 *	pending sets know what the target misses   before the cut
 *	frozen is in every target's pending set    before the first block ships
 *	images are flushed and in place            before the manifest
 *	the manifest commits the point             before pending is cleared
 *	pending is cleared                         before the epoch ends
 *	or, without a point, stored
 *
 * A run that ends anywhere in between, by failure or by SIGKILL, has said too
 * little rather than too much: the next one ships a superset.
 */
#include "job/backup.h"

#include <string.h>

#include "base/config.h"
#include "job/backup-parts.h"
#include "job/interrupt.h"

/* ---------------------------------------------------------------- the cut */

/* Notices that it was started since the last look; that it was active stays. */
static int look_again(struct backup *backup, struct err *err)
{
	struct vm_dom_state *state = &backup->session->state;
	bool was_active = state->active;
	int r = vm_dom_state(backup->session->dom, state, err);

	state->active |= was_active;
	return r;
}

/* The hold was made for what was to be sent before. */
static int record(struct backup *backup, size_t i, struct err *err)
{
	struct pending **pending = &backup->pending[i];
	int r = held_record(&backup->held, i, backup->target->id, pending, err);

	if (r < 0 || pending_is_of_run(*pending, backup->run))
		return r;
	return fail(err, -EIO,
		    "%s: the record of what is pending for %s was removed, or "
		    "damaged, meanwhile; back it up again",
		    backup->session->domain->name, backup->target->location);
}

static void count_cut(struct backup *backup)
{
	backup->recorded = true;
	backup->cut_ms = ui_now_ms();
	backup->nr_cuts++;
	backup->left_before_bytes = backup->left_bytes;
	backup->left_bytes = backup_left_bytes(backup);
}

static int take_cut(struct backup *backup, struct err *err)
{
	struct held *held = &backup->held;
	int r = 0;

	for (size_t i = 0; i < backup->session->nr_disks && r == 0; i++)
		r = held_hold(held, i, pending_to_send(backup->pending[i]),
			      err);
	if (r == 0)
		r = held_settle(held, err);
	backup->cut_time = time(NULL);
	if (r == 0)
		r = held_cut(held, &backup->request->instant, err);
	if (r == 0)
		r = look_again(backup, err);
	for (size_t i = 0; i < backup->session->nr_disks && r == 0; i++)
		r = record(backup, i, err);
	if (r == 0)
		count_cut(backup);
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
	if (r == 0 && backup->held.epoch_open)
		r = tracker_epoch_end(backup->session->stacks[i].name,
				      backup->held.instant.epoch, err);
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
		if (r == 0 && i + 1 < backup->session->nr_disks &&
		    backup_is_enough(backup))
			r = fail(err, -EAGAIN, "ended between two disks");
	}
	if (r == 0 && !backup->held.disks)
		r = check_still_stopped(backup, err);
	manifest->consistency = backup_consistency(backup);
	backup->committing = r == 0;
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
	backup->held.epoch_open = backup->held.epoch_open && r < 0;
	return r;
}

/* -------------------------------------------------------------- the whole */

/* Why the guest was not, has been said. */
static int check_quiet(const struct backup *backup, struct err *err)
{
	enum consistency consistency = backup_consistency(backup);

	if (backup->request->instant.freeze != CONFIG_FREEZE_REQUIRE ||
	    consistency == CONSISTENCY_FROZEN ||
	    consistency == CONSISTENCY_OFFLINE)
		return 0;
	return fail(err, -EAGAIN,
		    "%s: the guest was not frozen, which is required: nothing "
		    "is backed up",
		    backup->session->domain->name);
}

void backup_forget_pending(struct backup *backup)
{
	for (size_t i = 0; backup->pending && i < backup->session->nr_disks;
	     i++)
		pending_free(backup->pending[i]);
	free(TAKE_PTR(backup->pending));
}

/* One cut, and what comes of it. @ret_again: another one may do better. */
static int attempt(struct backup *backup, bool *ret_again, struct err *err)
{
	int r = backup_plan(backup, err);

	backup->recorded = false;
	if (r == 0)
		r = held_watch(&backup->held, &backup->request->instant, err);
	backup->cut_time = time(NULL);
	if (r == 0 && session_is_tracked(backup->session))
		r = take_cut(backup, err);
	if (r == 0)
		r = check_quiet(backup, err);
	if (r == 0 && *backup->cancelled)
		r = fail(err, -EINTR, "interrupted");
	if (r == 0)
		r = ship_and_commit(backup, err);
	*ret_again = r < 0 && backup_may_go_on(backup, r, err);
	if (*ret_again) {
		*ret_again = backup_keep_place(backup, err) == 0;
		r = err->code;
	}
	if (r < 0)
		held_abort(&backup->held);
	held_end(&backup->held);
	return r;
}

static int make_point(struct backup *backup, struct err *err)
{
	bool again;
	int r = attempt(backup, &again, err);

	while (again) {
		r = backup_go_on(backup, err);
		again = false;
		if (r == 0)
			r = attempt(backup, &again, err);
	}
	return r;
}

/* What goes now. A pass takes the place of the one before it, and of nothing
 * else. */
static int read_rules(const struct backup *backup, struct keep *ret_keep,
		      struct err *err)
{
	_cleanup_config_ struct config config = {0};
	int r;

	*ret_keep = (struct keep){.count = {[KEEP_LAST] = KEEP_MAX}};
	if (backup->request->is_pass)
		return 0;
	r = config_read(PLACE_CONFIG, backup->session->domain->name,
			backup->session->uuid, NULL, &config, err);
	*ret_keep = config.keep;
	return r;
}

/* The point is there: what cannot be thinned out now is so by the next run. */
static void thin_out(struct backup *backup)
{
	size_t nr_removed = 0;
	struct err err = {0};
	struct keep keep;
	int r = read_rules(backup, &keep, &err);

	if (r == 0 && !keep_is_nothing(&keep))
		r = target_thin_out(backup->target, &keep, &nr_removed, &err);
	if (r == -EBUSY)
		ui_note(backup->ui, "%s; old points stay for now", err.text);
	else if (r < 0)
		ui_warn(backup->ui, "old points stay: %s", err.text);
	if (nr_removed && !backup->request->is_pass)
		ui_note(backup->ui, "%s: %zu old points removed",
			backup->target->location, nr_removed);
}

static int open_target(struct backup *backup, struct err *err)
{
	const struct session *session = backup->session;
	const struct target_owner owner = {.name = session->domain->name,
					   .uuid = session->uuid,
					   .state_dir = session->state_dir,
					   .nr_disks = session->nr_disks,
					   .seed = backup->request->seed};

	return target_open(backup->request->target, &owner, backup->cancelled,
			   &backup->target, backup->ui, err);
}

/* How the target calls itself: where its runs wait, there is no use in giving
 * way. */
static char *target_place(const char *target)
{
	char *path = strstr(target, "://") ? NULL : realpath(target, NULL);

	return path ? path : strdup(target);
}

static int run(struct backup *backup, struct err *err)
{
	_cleanup_free_ char *place = target_place(backup->request->target);
	const struct turn_wait wait = {.wait_s = backup->request->wait_s,
				       .target = place ? place : "",
				       .cancelled = backup->cancelled,
				       .ui = backup->ui};
	int r = uuid_new(backup->run, err);

	if (r == 0)
		r = backup_open_session(backup, &wait, err);
	if (r == 0)
		r = open_target(backup, err);
	if (r == 0)
		r = make_point(backup, err);
	if (r == 0)
		thin_out(backup);
	return r;
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
	report->freeze_ms = backup->held.instant.freeze_ms;
	report->suspend_ms = backup->held.instant.suspend_ms;
	report->warned = backup->ui->nr_warnings > 0;
	return 0;
}

static void close_all(struct backup *backup)
{
	backup_forget_pending(backup);
	target_close(backup->target);
	session_close(backup->session);
	watchdog_end(&backup->held.watchdog);
}

int backup_run(const struct backup_request *request,
	       struct backup_report *ret_report, struct ui *ui, struct err *err)
{
	struct backup backup = {
		.request = request,
		.held = {.ui = ui, .until = "sent", .watchdog.fd = -1},
		.cancelled = interrupt_catch(),
		.pace = pace_init(request->bwlimit_bytes),
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
