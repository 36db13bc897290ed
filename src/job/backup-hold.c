/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The holds of one cut.  A point is the disks at one instant because what is
 * shipped is read from them.  A guest that writes a lot in that time needs
 * room; what was sent is let go at once, so that only the rest needs any.
 */
#include <string.h>

#include "job/backup-parts.h"

/* A copy is of that many blocks at most: with less room left, it was full. */
#define COPY_BLOCKS 128
/* What is worth telling before it becomes a failure. */
#define NEARLY_FULL_PERCENT 80

static int begin(struct backup *backup, size_t i, struct err *err)
{
	const struct session *session = backup->session;
	const char *device = session->stacks[i].name;
	int r = hold_create(&session->stacks[i], session->nr_disks,
			    backup->holds[i].name, err);

	if (r == 0)
		r = tracker_seed(device, backup->pending[i]->map, err);
	if (r < 0)
		err_prefix(err, "%s: hold of %s", session->domain->name,
			   session->disks[i].disk->target);
	backup->holds[i].release.device = device;
	return r;
}

int backup_hold_begin(struct backup *backup, struct err *err)
{
	size_t nr_disks = backup->session->nr_disks;
	int r = 0;

	backup->holds = calloc(nr_disks, sizeof(*backup->holds));
	if (!backup->holds)
		return fail(err, -ENOMEM, "out of memory");
	for (size_t i = 0; i < nr_disks && r == 0; i++)
		r = begin(backup, i, err);
	return r;
}

/* A block that stays held for longer costs room, and nothing else. */
void backup_hold_let_go(struct backup_release *release)
{
	if (release->device)
		(void)hold_release(release->device, release->ranges,
				   release->nr_ranges, NULL);
	release->nr_ranges = 0;
}

void backup_hold_sent(struct backup_release *release, uint64_t first,
		      uint64_t count)
{
	struct hold_range *last = &release->ranges[release->nr_ranges - 1];

	if (release->nr_ranges && last->first + last->count == first) {
		last->count += count;
		return;
	}
	if (release->nr_ranges == HOLD_MAX_RANGES)
		backup_hold_let_go(release);
	release->ranges[release->nr_ranges++] =
		(struct hold_range){first, count};
}

bool backup_hold_is_lost(const struct backup *backup, struct err *err)
{
	const struct session *session = backup->session;
	char size[16];

	for (size_t i = 0; backup->holds && i < session->nr_disks; i++) {
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
			     "sent; give it more, see [hold] in "
			     "dsync-vm.conf(5)",
			     session->domain->name, target,
			     ui_size(size, status.hold_size *
						   status.block_sectors * 512));
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

void backup_hold_report(struct backup *backup, size_t i)
{
	const struct session *session = backup->session;
	struct tracker_status status;
	uint64_t block_bytes;
	char used[16], size[16];

	if (!backup->holds ||
	    tracker_status(session->stacks[i].name, &status, NULL) < 0 ||
	    status.hold != TRACKER_HOLD_ARMED)
		return;
	block_bytes = status.block_sectors * UINT64_C(512);
	backup->report->disks[i].held_bytes = status.hold_used * block_bytes;
	if (status.hold_used * 100 >= status.hold_size * NEARLY_FULL_PERCENT)
		ui_note(backup->ui,
			"%s: %s: its hold needed %s of %s; give it more, see "
			"[hold] in dsync-vm.conf(5)",
			session->domain->name, session->disks[i].disk->target,
			ui_size(used, status.hold_used * block_bytes),
			ui_size(size, status.hold_size * block_bytes));
}

void backup_hold_end(struct backup *backup)
{
	const struct session *session = backup->session;
	struct err err = {0};

	for (size_t i = 0; backup->holds && i < session->nr_disks; i++) {
		if (hold_remove(session->stacks[i].name,
				session->stacks[i].uuid, &err) < 0)
			ui_warn(backup->ui, "%s: %s", session->domain->name,
				err.text);
		err_clear(&err);
	}
	free(TAKE_PTR(backup->holds));
}
