/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The parts of a backup, for backup.c alone: what has to be shipped
 * (backup-plan.c), how it stays as it was meanwhile (backup-hold.c), how it
 * gets there (backup-ship.c), what the point says of itself (backup-point.c).
 */
#pragma once

#include <time.h>

#include "base/err.h"
#include "dm/hold.h"
#include "job/backup.h"
#include "job/session.h"
#include "job/target.h"
#include "job/ui.h"
#include "job/watchdog.h"

struct backup {
	const struct backup_request *request;
	struct session *session;
	struct target *target;
	struct pending **pending; /* one for each disk of the session */
	struct watchdog watchdog;
	struct instant instant;
	bool epoch_open;           /* on every disk */
	struct backup_hold *holds; /* one for each disk, NULL: no cut is taken */
	time_t cut_time;
	ship_cancel cancelled;
	struct backup_report *report;
	struct ui *ui;
};

/* Where the pending sets of the session's disk @i are. */
struct pending_disk backup_pending_disk(const struct backup *backup, size_t i);

/*
 * Names the point, loads each disk's pending set, fills those that cannot be
 * trusted, and stores them: from here on a cut leaves nothing out.
 */
int backup_plan(struct backup *backup, struct err *err);

/* Blocks of one disk that were sent and are not let go yet. */
struct backup_release {
	const char *device;
	struct hold_range ranges[HOLD_MAX_RANGES];
	size_t nr_ranges;
};

struct backup_hold {
	char name[DISK_NAME_SIZE]; /* of its device; "": none */
	struct backup_release release;
};

/* Makes holds on all disks, of what the target misses and the coming cut
 * freezes. */
int backup_hold_begin(struct backup *backup, struct err *err);

/* These blocks of a disk were sent: the hold may let go of them... */
void backup_hold_sent(struct backup_release *release, uint64_t first,
		      uint64_t count);
/* ...and does so now. */
void backup_hold_let_go(struct backup_release *release);

/* True if a hold is lost: then @err says why, and how not to lose the next. */
bool backup_hold_is_lost(const struct backup *backup, struct err *err);

/* Ships what the target misses of the disk @i, and has it durable there.
 * @ret_backing: the point it overlays, "": none. */
int backup_ship_disk(struct backup *backup, size_t i, char ret_backing[],
		     struct err *err);

/* Reports how much had to be kept of the disk @i, which was sent. */
void backup_hold_report(struct backup *backup, size_t i);

/* Removes the holds, if there are any. */
void backup_hold_end(struct backup *backup);

/* How quiet the domain was at the cut. */
enum consistency backup_consistency(const struct backup *backup);

/* Fills in what the manifest says of the domain, as it is now, but for its
 * consistency, which is known when its disks were read. */
int backup_describe_domain(struct backup *backup, struct manifest *manifest,
			   struct err *err);

/* Adds the session's disk @i, which was shipped onto @backing ("": none). */
int backup_describe_disk(struct backup *backup, struct manifest *manifest,
			 size_t i, const char *backing, struct err *err);
