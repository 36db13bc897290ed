/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A guest that writes a lot while its disks are held needs room; what was dealt
 * with is let go at once, so that only the rest needs any.
 */
#include "job/held.h"

#include <fcntl.h>
#include <string.h>

#include "base/bitmap.h"
#include "base/err.h"
#include "base/io.h"
#include "dm/tracker.h"
#include "dm/trust.h"
#include "dm/use.h"
#include "job/session.h"
#include "job/ui.h"
#include "repo/pending.h"

/* A copy is of that many blocks at most: with less room left, it was full. */
#define COPY_BLOCKS 128
/* What is worth telling before it becomes a failure. */
#define NEARLY_FULL_PERCENT 80

int held_watch(struct held *held, const struct instant_request *request,
	       struct err *err)
{
	const struct session *session = held->session;
	const struct watchdog_plan plan = {
		.connect = session->connect,
		.domain_uuid = session->uuid,
		.disks = session->stacks,
		.nr_disks = session->nr_disks,
		.freeze_deadline_ms = instant_deadline_ms(request),
		.suspend_deadline_ms = INSTANT_SUSPEND_DEADLINE_MS,
	};

	return watchdog_start(&plan, &held->watchdog, err);
}

int held_hold(struct held *held, size_t i, const struct bitmap *seed,
	      struct err *err)
{
	const struct session *session = held->session;
	const char *device = session->stacks[i].name;
	int r;

	if (!held->disks)
		held->disks = calloc(session->nr_disks, sizeof(*held->disks));
	if (!held->disks)
		return fail(err, -ENOMEM, "out of memory");
	r = hold_create(&session->stacks[i], session->nr_disks,
			held->disks[i].name, err);
	if (r == 0)
		r = tracker_seed(device, seed, err);
	if (r < 0)
		err_prefix(err, "%s: hold of %s", session->domain->name,
			   session->disks[i].disk->target);
	held->disks[i].release.device = device;
	return r;
}

/*
 * While the metadata fails, the changes are only known in RAM: should the host
 * crash, nothing must believe what is left of it.
 */
static void distrust(struct held *held, size_t i)
{
	const struct session *session = held->session;
	struct err err = {0};
	_cleanup_close_ int lock =
		use_lock(session->uuid, USE_LOCK_WAIT_MS, &err);

	if (lock < 0 || trust_forget(session->state_dir,
				     session->disks[i].disk->target, &err) < 0)
		ui_warn(held->ui, "%s: %s", session->domain->name, err.text);
}

static void say_state(struct held *held, size_t i)
{
	const struct session *session = held->session;
	const struct session_disk *disk = &session->disks[i];
	const struct tracker_status *tracker = &disk->tracker;
	char size[16];

	if (tracker->state == TRACKER_RECOVERED && tracker->suspect)
		ui_note(held->ui,
			"%s: %s: was not shut down cleanly: %s count as "
			"changed that may not be",
			session->domain->name, disk->disk->target,
			ui_size(size, tracker->suspect *
					      tracker->block_sectors * 512));
	if (tracker->state != TRACKER_DEGRADED)
		return;
	ui_warn(held->ui,
		"%s: %s: degraded: its metadata device fails, and changes are "
		"kept in memory only (the kernel log says more)",
		session->domain->name, disk->disk->target);
	distrust(held, i);
}

/*
 * What the host's page cache still holds goes through the device now, not
 * between suspend and resume, and so do the bitmaps.  Metadata that cannot be
 * written does not matter: what is in RAM is right.
 */
int held_settle(struct held *held, struct err *err)
{
	int r;

	for (size_t i = 0; i < held->session->nr_disks; i++) {
		const char *name = held->session->stacks[i].name;
		_cleanup_free_ char *path = io_format(PLACE_MAPPER "%s", name);
		_cleanup_close_ int fd = path ? open(path, O_RDONLY | O_CLOEXEC)
					      : -1;

		if (fd < 0 || fsync(fd) < 0)
			return fail_errno(err, -errno, PLACE_MAPPER "%s", name);
		(void)tracker_flush(name, NULL);
	}
	r = session_refresh(held->session, err);
	for (size_t i = 0; r == 0 && i < held->session->nr_disks; i++)
		say_state(held, i);
	return r;
}

int held_cut(struct held *held, const struct instant_request *request,
	     struct err *err)
{
	/* A stopped domain may have been started since. */
	int r = vm_dom_state(held->session->dom, &held->session->state, err);

	if (r == 0)
		r = instant_take(held->session, request, &held->watchdog,
				 &held->instant, held->ui, err);
	held->epoch_open = r == 0;
	return r;
}

int held_record(struct held *held, size_t i, const char *target_id,
		struct pending **pending, struct err *err)
{
	const struct session *session = held->session;
	const struct pending_disk where = session_pending_disk(session, i);
	_cleanup_bitmap_ struct bitmap *frozen = NULL;
	unsigned int gaps = 0;
	int r = tracker_read_map(session->stacks[i].name, TRACKER_MAP_FROZEN,
				 &frozen, err);

	if (r == 0)
		r = pending_merge_all(&where, frozen,
				      session->disks[i].tracker.epoch,
				      held->instant.epoch, &gaps, err);
	if (r < 0)
		return r;
	if (gaps)
		ui_warn(held->ui,
			"%s: %u other targets of %s missed a cut; their next "
			"backup sends all of it",
			session->domain->name, gaps, where.disk);
	pending_free(TAKE_PTR(*pending));
	return pending_load(&where, target_id, pending, err);
}

char *held_path(const struct held *held, size_t i)
{
	return io_format(PLACE_MAPPER "%s",
			 held->disks ? held->disks[i].name
				     : held->session->stacks[i].name);
}

/* A block that stays held for longer costs room, and nothing else. */
void held_let_go(struct held_release *release)
{
	if (release->device)
		(void)hold_release(release->device, release->ranges,
				   release->nr_ranges, NULL);
	release->nr_ranges = 0;
}

void held_done(struct held_release *release, uint64_t first, uint64_t count)
{
	struct hold_range *last = &release->ranges[release->nr_ranges - 1];

	if (release->nr_ranges && last->first + last->count == first) {
		last->count += count;
		return;
	}
	if (release->nr_ranges == HOLD_MAX_RANGES)
		held_let_go(release);
	release->ranges[release->nr_ranges++] =
		(struct hold_range){first, count};
}

bool held_is_lost(const struct held *held, struct err *err)
{
	const struct session *session = held->session;
	char size[16];

	for (size_t i = 0; held->disks && i < session->nr_disks; i++) {
		const char *target = session->disks[i].disk->target;
		struct tracker_status status;

		if (tracker_status(session->stacks[i].name, &status, NULL) <
			    0 ||
		    status.hold != TRACKER_HOLD_INVALID)
			continue;
		err_clear(err);
		if (status.hold_size - status.hold_used < COPY_BLOCKS)
			fail(err, -ENOSPC,
			     "%s: %s: the guest overwrote more than the %s "
			     "that its hold has room for, before that was "
			     "%s; give it more, see [hold] in "
			     "dsync-vm.conf(5)",
			     session->domain->name, target,
			     ui_size(size, status.hold_size *
						   status.block_sectors * 512),
			     held->until);
		else
			fail(err, -EIO,
			     "%s: %s: its hold was lost, as its store or the "
			     "disk failed or was too slow; the kernel log says "
			     "which",
			     session->domain->name, target);
		return true;
	}
	return false;
}

uint64_t held_kept_bytes(const struct held *held, size_t i)
{
	const struct session *session = held->session;
	struct tracker_status status;
	uint64_t block_bytes;
	char used[16], size[16];

	if (!held->disks ||
	    tracker_status(session->stacks[i].name, &status, NULL) < 0 ||
	    status.hold != TRACKER_HOLD_ARMED)
		return 0;
	block_bytes = status.block_sectors * UINT64_C(512);
	if (status.hold_used * 100 >= status.hold_size * NEARLY_FULL_PERCENT)
		ui_note(held->ui,
			"%s: %s: its hold needed %s of %s; give it more, see "
			"[hold] in dsync-vm.conf(5)",
			session->domain->name, session->disks[i].disk->target,
			ui_size(used, status.hold_used * block_bytes),
			ui_size(size, status.hold_size * block_bytes));
	return status.hold_used * block_bytes;
}

void held_abort(struct held *held)
{
	for (size_t i = 0; held->epoch_open && i < held->session->nr_disks; i++)
		(void)tracker_epoch_abort(held->session->stacks[i].name,
					  held->instant.epoch, NULL);
	held->epoch_open = false;
}

void held_end(struct held *held)
{
	const struct session *session = held->session;
	struct err err = {0};

	for (size_t i = 0; held->disks && i < session->nr_disks; i++) {
		if (hold_remove(session->stacks[i].name,
				session->stacks[i].uuid, &err) < 0)
			ui_warn(held->ui, "%s: %s", session->domain->name,
				err.text);
		err_clear(&err);
	}
	free(TAKE_PTR(held->disks));
}
