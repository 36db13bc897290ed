/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The disks are held as for a backup, but whole, and the epoch is aborted at
 * last: nothing is taken out of the tracker, no pending set is changed by
 * the cut, and what the guest writes meanwhile is tracked as ever.
 *
 *	compared = all - pending at the target - frozen by the cut
 *
 * Only what is compared needs to be held.  What is not is mostly what the guest
 * writes to all the time, so the holds let go of it right after the cut.
 *
 * The guest is not frozen: that would make its filesystems clean, and no block
 * more equal.
 *
 * What differs although nothing marked it was missed for every target, and
 * becomes pending for all of them.  The next backup finds that its sum is not
 * the one below, and sends it.
 */
#include "job/verify-source.h"

#include <inttypes.h>
#include <string.h>

#include "base/bitmap.h"
#include "base/err.h"
#include "job/comparison.h"
#include "job/doubt.h"
#include "job/held.h"
#include "job/interrupt.h"
#include "job/reading.h"
#include "job/session.h"
#include "job/ui.h"
#include "job/verify.h"
#include "repo/manifest.h"
#include "repo/mirror.h"
#include "ship/ship.h"

#define STALL_MS 120000

struct verify_source {
	const struct verify_source_request *request;
	struct reading from;
	struct manifest *point; /* the newest there */
	struct session *session;
	struct held held;
	struct bitmap **unchanged; /* of each disk: what is to be compared */
	ship_cancel cancelled;
	struct verify_report *report;
	struct ui *ui;
};

/* ---------------------------------------------------- what is to be compared */

static const char *doubt(const struct verify_source *verify, size_t i,
			 const struct pending *pending)
{
	const struct manifest *point = verify->point;
	bool paired = manifest_find_disk(point, pending->disk) &&
		      pending_is_at(pending, point->point);

	if (verify->session->disks[i].tracker.state == TRACKER_DEGRADED)
		return "degraded: its metadata device fails (the kernel log "
		       "says more)";
	return doubt_about(verify->session, i, pending, paired);
}

static int check_disk(const struct verify_source *verify, size_t i,
		      const struct pending *pending, struct err *err)
{
	const char *sentence = doubt(verify, i, pending);

	if (!sentence)
		return 0;
	return fail(err,
		    session_is_tracked(verify->session) ? -ENODATA
							: -EOPNOTSUPP,
		    "%s: %s: %s: there is nothing to prove; a backup compares "
		    "all of it",
		    verify->session->domain->name, pending->disk, sentence);
}

static void take_out(struct bitmap *map, const struct bitmap *other)
{
	uint64_t first = 0, count;

	while ((count = bitmap_next_run(other, first, 0, &first))) {
		bitmap_clear(map, first, count);
		first += count;
	}
}

/* Before the cut: what is pending; in other words, what is not. */
static int plan_disk(struct verify_source *verify, size_t i, struct err *err)
{
	const struct pending_disk where =
		session_pending_disk(verify->session, i);
	_cleanup_pending_ struct pending *pending = NULL;
	int r = pending_load(&where, verify->from.id, &pending, err);

	if (r == 0)
		r = check_disk(verify, i, pending, err);
	if (r < 0)
		return r;
	verify->unchanged[i] = bitmap_new(pending->map->nr_blocks);
	if (!verify->unchanged[i])
		return fail(err, -ENOMEM, "out of memory");
	bitmap_fill(verify->unchanged[i]);
	take_out(verify->unchanged[i], pending->map);
	return 0;
}

static int plan(struct verify_source *verify, struct err *err)
{
	size_t nr_disks = verify->session->nr_disks;
	int r = 0;

	verify->unchanged = calloc(nr_disks, sizeof(*verify->unchanged));
	if (!verify->unchanged)
		return fail(err, -ENOMEM, "out of memory");
	for (size_t i = 0; r == 0 && i < nr_disks; i++)
		r = plan_disk(verify, i, err);
	return r;
}

/* After it: what it froze, which need not be held either. That is all of the
 * disk if tracking was lost since it was looked at. */
static int leave_frozen(struct verify_source *verify, size_t i, struct err *err)
{
	const struct session *session = verify->session;
	struct held_release *release = &verify->held.disks[i].release;
	_cleanup_bitmap_ struct bitmap *frozen = NULL;
	uint64_t first = 0, count;
	int r = tracker_read_map(release->device, TRACKER_MAP_FROZEN, &frozen,
				 err);

	if (r < 0)
		return r;
	if (frozen->nr_blocks != verify->unchanged[i]->nr_blocks)
		return fail(err, -EAGAIN,
			    "%s: %s: was resized meanwhile; try again",
			    session->domain->name,
			    session->disks[i].disk->target);
	take_out(verify->unchanged[i], frozen);
	while ((count = bitmap_next_run(frozen, first, 0, &first))) {
		held_done(release, first, count);
		first += count;
	}
	held_let_go(release);
	if (bitmap_count(verify->unchanged[i]) == 0)
		ui_warn(verify->ui,
			"%s: %s: all of it counts as changed: nothing of it is "
			"compared",
			session->domain->name, session->disks[i].disk->target);
	return 0;
}

static int cut(struct verify_source *verify, struct err *err)
{
	const struct instant_request instant = {.freeze = CONFIG_FREEZE_NO};
	size_t nr_disks = verify->session->nr_disks;
	struct held *held = &verify->held;
	int r = held_watch(held, &instant, err);

	for (size_t i = 0; r == 0 && i < nr_disks; i++)
		r = held_hold(held, i, verify->unchanged[i], err);
	if (r == 0)
		r = held_settle(held, err);
	if (r == 0)
		r = held_cut(held, &instant, err);
	for (size_t i = 0; r == 0 && i < nr_disks; i++)
		r = leave_frozen(verify, i, err);
	return r;
}

/* ------------------------------------------------------------ comparing */

/* What the callbacks of one disk's reading work on. */
struct look {
	struct comparison *comparison;
	struct verify_disk *disk;
	struct held_release *release;
	uint32_t block_bytes;
	struct ui *ui;
};

static int examine(void *opaque, uint64_t first_unit, uint64_t nr_units,
		   const uint8_t *data, bool skip[], struct err *err)
{
	const struct look *look = opaque;

	look->disk->blocks += nr_units;
	return comparison_check(look->comparison, first_unit, nr_units, data,
				skip, err);
}

static void let_go(void *opaque, uint64_t first_block, uint64_t count)
{
	const struct look *look = opaque;

	held_done(look->release, first_block, count);
}

static void show_progress(void *opaque, const struct ship_counts *counts)
{
	const struct look *look = opaque;

	ui_progress(look->ui, counts->done_blocks * look->block_bytes,
		    counts->blocks * look->block_bytes);
	held_let_go(look->release);
}

static int read_disk(struct verify_source *verify, size_t i,
		     struct comparison *comparison, struct verify_disk *disk,
		     struct err *err)
{
	const struct bitmap *unchanged = verify->unchanged[i];
	struct look look = {
		.comparison = comparison,
		.disk = disk,
		.release = &verify->held.disks[i].release,
		.block_bytes =
			verify->session->disks[i].tracker.block_sectors * 512,
		.ui = verify->ui,
	};
	const struct ship_job job = {
		.map = unchanged,
		.block_bytes = look.block_bytes,
		.nr_blocks = unchanged->nr_blocks,
		.stall_ms = STALL_MS,
		.cancelled = verify->cancelled,
		.opaque = &look,
		.examine = examine,
		.acked = let_go,
		.progress = show_progress,
	};
	_cleanup_source_ struct ship_source *source = NULL;
	_cleanup_free_ char *path = held_path(&verify->held, i);
	struct ship_counts counts = {0};
	int r;

	if (!path)
		return fail(err, -ENOMEM, "out of memory");
	r = ship_source_open_file(path, &source, err);
	if (r == 0)
		r = ship_run(source, NULL, &job, &counts, err);
	disk->read_bytes = counts.read_bytes;
	return r;
}

/* Lists what differs, and makes it pending. */
static int note(struct verify_source *verify, size_t i,
		const struct verify_disk *disk,
		const struct comparison *comparison, struct err *err)
{
	const struct pending_disk where =
		session_pending_disk(verify->session, i);
	_cleanup_bitmap_ struct bitmap *missed =
		bitmap_new(verify->unchanged[i]->nr_blocks);
	uint32_t per_block = where.block_bytes / SUM_BLOCK_BYTES;
	uint64_t first = 0, count;

	if (!missed)
		return fail(err, -ENOMEM, "out of memory");
	while ((count = bitmap_next_run(comparison_map(comparison), first, 0,
					&first))) {
		if (verify_add_range(verify->report, disk, "", first, count) <
		    0)
			return fail(err, -ENOMEM, "out of memory");
		for (uint64_t unit = first; unit < first + count; unit++)
			bitmap_set(missed, unit / per_block, 1);
		first += count;
	}
	return pending_add_all(&where, missed, err);
}

static int compare(struct verify_source *verify, size_t i,
		   struct verify_disk *disk, struct ledger *known,
		   struct err *err)
{
	uint64_t size_bytes = verify->session->disks[i].size_bytes;
	_cleanup_comparison_ struct comparison *comparison = NULL;
	struct err why = {0};
	int r = comparison_new(verify->from.id, size_bytes, &comparison, err);

	if (r < 0)
		return r;
	comparison_expect(comparison, known);
	ui_progress_start(verify->ui, disk->target);
	r = read_disk(verify, i, comparison, disk, err);
	ui_progress_end(verify->ui);
	if (r == 0)
		disk->changed = sum_count(size_bytes) - disk->blocks;
	disk->mismatched = comparison_damaged(comparison);
	disk->unknown = comparison_unknown(comparison);
	disk->blocks -= disk->unknown;
	/* Also after a failure: what was found is true. */
	if (disk->mismatched && note(verify, i, disk, comparison, &why) < 0)
		return fail(err, why.code,
			    "what was found is not noted for the next backup: "
			    "%s",
			    why.text);
	return r;
}

static int look_at(struct verify_source *verify, size_t i, struct err *err)
{
	const char *target = verify->session->disks[i].disk->target;
	_cleanup_reading_image_ struct reading_image image = {0};
	uint64_t began_ms = ui_now_ms();
	struct verify_disk *disk =
		verify_add_disk(verify->report, target, verify->point->point);
	int r;

	if (!disk)
		return fail(err, -ENOMEM, "out of memory");
	r = reading_image_open(
		&verify->from, verify->point, target,
		manifest_find_disk(verify->point, target)->size_bytes,
		verify->cancelled, &image, err);
	if (r == 0)
		r = compare(verify, i, disk, image.known, err);
	if (reading_image_problem(&image))
		ui_warn(verify->ui, "%s", reading_image_problem(&image));
	(void)held_kept_bytes(&verify->held, i);
	verify->report->mismatched += disk->mismatched;
	verify->report->unknown += disk->unknown;
	disk->spent_ms = ui_now_ms() - began_ms;
	return r;
}

static int look_at_all(struct verify_source *verify, struct err *err)
{
	int r = plan(verify, err);

	if (r == 0)
		r = cut(verify, err);
	for (size_t i = 0; r == 0 && i < verify->session->nr_disks; i++)
		r = look_at(verify, i, err);
	if (r == -EIO && held_is_lost(&verify->held, err))
		r = err->code;
	held_abort(&verify->held);
	held_end(&verify->held);
	return r;
}

/* -------------------------------------------------------------- the whole */

static int open_all(struct verify_source *verify, struct err *err)
{
	const struct verify_source_request *request = verify->request;
	struct verify_report *report = verify->report;
	int r;

	if (mirror_is_uri(request->repository))
		return fail(err, -EOPNOTSUPP,
			    "%s: a mirror has no sums to compare with, only a "
			    "repository has",
			    request->repository);
	r = session_open(request->connect, request->domain, NULL,
			 &verify->session, err);
	verify->held.session = verify->session;
	if (r == 0)
		r = reading_open(&verify->from, request->repository,
				 verify->session->uuid, verify->cancelled,
				 verify->ui, err);
	if (r == 0)
		r = reading_find(&verify->from, "latest", &verify->point, err);
	if (r < 0)
		return r;
	report->domain = strdup(verify->session->domain->name);
	report->location = strdup(verify->from.location);
	if (!report->domain || !report->location)
		return fail(err, -ENOMEM, "out of memory");
	return 0;
}

static uint64_t count_compared(const struct verify_report *report)
{
	uint64_t count = 0;

	for (size_t i = 0; i < report->nr_disks; i++)
		count += report->disks[i].blocks + report->disks[i].unknown;
	return count;
}

static int judge(const struct verify_source *verify, struct err *err)
{
	const struct verify_report *report = verify->report;

	if (count_compared(report) == 0)
		return fail(err, -ENODATA,
			    "%s: all of it counts as changed: there is nothing "
			    "to prove; a backup compares all of it",
			    report->domain);
	if (report->mismatched)
		return fail(err, -EBADMSG,
			    "%s: %" PRIu64 " blocks are not what they were at "
			    "%s, and nothing has seen them change; the next "
			    "backup to each target sends them",
			    report->domain, report->mismatched,
			    verify->point->point);
	if (report->unknown)
		return fail(err, -EBADMSG,
			    "%s: the sums of %" PRIu64 " blocks are missing, "
			    "so nobody knows what they should be",
			    report->domain, report->unknown);
	return 0;
}

static void close_all(struct verify_source *verify)
{
	for (size_t i = 0; verify->unchanged && i < verify->session->nr_disks;
	     i++)
		bitmap_free(verify->unchanged[i]);
	free(verify->unchanged);
	manifest_free(verify->point);
	reading_close(&verify->from);
	session_close(verify->session);
	watchdog_end(&verify->held.watchdog);
}

int verify_source_run(const struct verify_source_request *request,
		      struct verify_report *ret_report, struct ui *ui,
		      struct err *err)
{
	struct verify_source verify = {
		.request = request,
		.held = {.ui = ui, .until = "compared", .watchdog.fd = -1},
		.cancelled = interrupt_catch(),
		.report = ret_report,
		.ui = ui,
	};
	uint64_t began_ms = ui_now_ms();
	int r;

	*ret_report = (struct verify_report){.source = true};
	r = open_all(&verify, err);
	if (r == 0)
		r = look_at_all(&verify, err);
	if (r == 0)
		r = judge(&verify, err);
	ret_report->spent_ms = ui_now_ms() - began_ms;
	close_all(&verify);
	return r;
}
