/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Extracting of a tracked disk is a backup of it alone, to a target that is
 * nothing but its pending set.  Its frozen set is in every pending set,
 * durably, before the first block is sent, so the epoch can end with the
 * stream, and nobody has lost anything by it.
 */
#include <string.h>

#include "base/config.h"
#include "base/err.h"
#include "base/io.h"
#include "dm/restoring.h"
#include "job/doubt.h"
#include "job/extract.h"
#include "job/held.h"
#include "job/interrupt.h"
#include "job/session.h"
#include "job/ui.h"
#include "repo/mirror.h"
#include "repo/pending.h"

/* --------------------------------------------------------------- the disk */

/* The domain in the name of a device; a disk's name has no "-". */
static char *domain_of(const char *device)
{
	static const char prefix[] = "dsync-";
	const char *name = device + strlen(prefix);
	const char *end = strrchr(device, '-');

	if (strncmp(device, prefix, strlen(prefix)) != 0 || end <= name)
		return NULL;
	return io_format("%.*s", (int)(end - name), name);
}

/* As if the domain had this disk alone. */
static int keep_only(struct session *session, const char *device,
		     struct err *err)
{
	for (size_t i = 0; i < session->nr_disks; i++) {
		if (strcmp(session->stacks[i].name, device) != 0)
			continue;
		session->disks[0] = session->disks[i];
		session->stacks[0] = session->stacks[i];
		session->reports[0] = session->reports[i];
		session->nr_disks = 1;
		return 0;
	}
	return fail(err, -ENOENT, "%s: no attached disk of %s", device,
		    session->domain->name);
}

static int open_disk(const char *connect, const char *device,
		     struct session **ret_session, struct err *err)
{
	_cleanup_session_ struct session *session = NULL;
	_cleanup_free_ char *domain = domain_of(device);
	int r;

	if (!domain)
		return fail(err, -EINVAL,
			    "%s: no name of a tracked disk, such as "
			    "dsync-web1-vda; a file is named with a /",
			    device);
	r = session_open(connect, domain, NULL, &session, err);
	if (r == 0)
		r = keep_only(session, device, err);
	if (r == 0)
		*ret_session = TAKE_PTR(session);
	return r;
}

/* One run, of the one disk of its session. */
struct run {
	const struct extract_disk_request *request;
	struct session *session;
	struct held held;
	struct instant_request instant;
	char target_id[UUID_SIZE];
	struct pending *pending;
	ship_cancel cancelled;
	struct extract_report *report;
	struct ui *ui;
};

/* --------------------------------------------------------------- the plan */

static void look_for_doubts(struct run *run)
{
	const struct session *session = run->session;
	struct pending *pending = run->pending;
	const char *doubt = doubt_about(session, 0, pending, true);

	if (doubt && pending->reason != PENDING_NEW && !run->request->all) {
		run->report->resynced = true;
		ui_warn(run->ui, "%s: %s: %s: sending all of it",
			session->domain->name, session->disks[0].disk->target,
			doubt);
	}
	if (doubt)
		pending_distrust(pending, PENDING_GAP);
	else if (run->request->all)
		bitmap_fill(pending->map);
}

/* The stream called @point is on its way; "": none is, and no id is good. */
static int announce(struct run *run, const char *point, struct err *err)
{
	if (pending_begin(run->pending, EXTRACT_TARGET, point) < 0)
		return fail(err, -ENOMEM, "out of memory");
	return pending_store(run->session->state_dir, run->pending, err);
}

/* From here on a cut leaves nothing out. */
static int plan(struct run *run, struct err *err)
{
	const struct session *session = run->session;
	const struct pending_disk where = session_pending_disk(session, 0);
	int r;

	if (!session_is_tracked(session))
		return fail(err, -EOPNOTSUPP,
			    "%s: changes of %s are not tracked: the module "
			    "dm-dsync was missing when the domain was started",
			    session->domain->name, where.disk);
	r = pending_load(&where, run->target_id, &run->pending, err);
	if (r < 0)
		return r;
	look_for_doubts(run);
	pending_at_epoch(run->pending, session->disks[0].tracker.epoch);
	return announce(run, "", err);
}

/* ---------------------------------------------------------------- the cut */

static int take_cut(struct run *run, struct err *err)
{
	char point[POINT_SIZE];
	int r = held_watch(&run->held, &run->instant, err);

	if (r == 0)
		r = held_hold(&run->held, 0, run->pending->map, err);
	if (r == 0)
		r = held_settle(&run->held, err);
	point_stamp(time(NULL), point);
	if (r == 0)
		r = held_cut(&run->held, &run->instant, err);
	if (r == 0)
		r = held_record(&run->held, 0, run->target_id, &run->pending,
				err);
	return r < 0 ? r : announce(run, point, err);
}

/* Why the guest was not, has been said. */
static int check_quiet(const struct run *run, struct err *err)
{
	if (run->instant.freeze != CONFIG_FREEZE_REQUIRE ||
	    run->held.instant.frozen || !run->session->state.active)
		return 0;
	return fail(err, -EAGAIN,
		    "%s: the guest was not frozen, which is required: nothing "
		    "is sent",
		    run->session->domain->name);
}

/* ------------------------------------------------------------- the stream */

/* What is in the pipe need not be held: should it not arrive, the next stream
 * has a cut of its own. */
static void sent(void *opaque, uint64_t first_block, uint64_t count)
{
	held_done(opaque, first_block, count);
}

static void let_go(void *opaque)
{
	held_let_go(opaque);
}

static int stream(struct run *run, struct err *err)
{
	const struct bitmap *map = run->pending->map;
	const struct extraction extraction = {
		.fd = run->request->fd,
		.label = run->pending->disk,
		.id = run->held.instant.epoch,
		.map = map,
		.block_bytes = run->pending->block_bytes,
		.whole = bitmap_count(map) == map->nr_blocks,
		.cancelled = run->cancelled,
		.sent = sent,
		.progress = let_go,
		.opaque = &run->held.disks[0].release,
	};
	_cleanup_source_ struct ship_source *source = NULL;
	_cleanup_free_ char *path = held_path(&run->held, 0);
	int r;

	if (!path)
		return fail(err, -ENOMEM, "out of memory");
	r = ship_source_open_file(path, &source, err);
	if (r == 0)
		r = extract_stream(&extraction, source, run->report, run->ui,
				   err);
	if (r == -EIO && held_is_lost(&run->held, err))
		r = err->code;
	return r;
}

static int cut_and_stream(struct run *run, struct err *err)
{
	int r = take_cut(run, err);

	if (r == 0)
		r = check_quiet(run, err);
	if (r == 0)
		r = stream(run, err);
	if (r == 0)
		r = tracker_epoch_end(run->session->stacks[0].name,
				      run->held.instant.epoch, err);
	if (r < 0)
		held_abort(&run->held);
	held_end(&run->held);
	watchdog_end(&run->held.watchdog);
	return r;
}

static int read_config(const struct session *session,
		       struct instant_request *instant, struct err *err)
{
	_cleanup_config_ struct config config = {0};
	int r = config_read(PLACE_CONFIG, session->domain->name, session->uuid,
			    NULL, &config, err);

	instant->freeze = config.freeze;
	instant->freeze_timeout_s = config.freeze_timeout_s;
	return r;
}

static int run_all(struct run *run, struct err *err)
{
	int r = open_disk(run->request->connect, run->request->device,
			  &run->session, err);

	run->held.session = run->session;
	if (r == 0)
		r = read_config(run->session, &run->instant, err);
	if (r == 0)
		r = restoring_check(run->session->state_dir, err);
	if (r == 0)
		r = plan(run, err);
	if (r == 0)
		r = cut_and_stream(run, err);
	pending_free(run->pending);
	session_close(run->session);
	return r;
}

int extract_disk(const struct extract_disk_request *request,
		 struct extract_report *ret_report, struct ui *ui,
		 struct err *err)
{
	struct run run = {
		.request = request,
		.held = {.ui = ui, .until = "sent", .watchdog.fd = -1},
		.cancelled = interrupt_catch(),
		.report = ret_report,
		.ui = ui,
	};
	uint64_t began_ms = ui_now_ms();
	int r;

	*ret_report = (struct extract_report){0};
	mirror_id(EXTRACT_TARGET, run.target_id);
	r = run_all(&run, err);
	ret_report->spent_ms = ui_now_ms() - began_ms;
	return r;
}

/* ------------------------------------------------------- it has arrived */

/* Only the set as it was sent: one that grew since does not have that id. */
static int settle(const struct session *session, const char *id,
		  struct err *err)
{
	const char *disk = session->disks[0].disk->target;
	_cleanup_pending_ struct pending *pending = NULL;
	char target_id[UUID_SIZE], point[POINT_SIZE];

	mirror_id(EXTRACT_TARGET, target_id);
	pending = pending_peek(session->state_dir, target_id, disk);
	if (!pending || strcmp(pending->epoch, id) != 0 ||
	    (!pending->attempt[0] && bitmap_count(pending->map)))
		return fail(
			err, -ESTALE,
			"%s: %s is not the last cut of %s: its blocks still "
			"count as changed, and the next stream has them",
			session->domain->name, id, disk);
	if (!pending->attempt[0])
		return 0;
	memcpy(point, pending->attempt, sizeof(point));
	pending_settle(pending, pending->map, point);
	return pending_store(session->state_dir, pending, err);
}

int extract_done(const char *connect, const char *device, const char *id,
		 struct err *err)
{
	_cleanup_session_ struct session *session = NULL;
	int r = open_disk(connect, device, &session, err);

	return r < 0 ? r : settle(session, id, err);
}
