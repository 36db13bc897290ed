/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The parts of a backup, for backup.c alone: what has to be shipped
 * (backup-plan.c), how it gets there (backup-ship.c), what the point says of
 * itself (backup-point.c).
 */
#pragma once

#include <time.h>

#include "base/err.h"
#include "job/backup.h"
#include "job/held.h"
#include "job/session.h"
#include "job/target.h"
#include "job/ui.h"
#include "repo/manifest.h"
#include "repo/pending.h"
#include "ship/pace.h"

struct backup {
	const struct backup_request *request;
	struct session *session;
	struct target *target;
	struct pending **pending; /* one for each disk of the session */
	struct held held;
	bool committing; /* the point may be there already */
	time_t cut_time;
	ship_cancel cancelled;
	struct pace pace; /* of all disks */
	struct backup_report *report;
	struct ui *ui;
};

/*
 * Names the point, loads each disk's pending set, fills those that cannot be
 * trusted, and stores them: from here on a cut leaves nothing out.
 */
int backup_plan(struct backup *backup, struct err *err);

/* Ships what the target misses of the disk @i, and has it durable there.
 * @ret_backing: the point it overlays, "": none. */
int backup_ship_disk(struct backup *backup, size_t i, char ret_backing[],
		     struct err *err);

/* How quiet the domain was at the cut. */
enum consistency backup_consistency(const struct backup *backup);

/* Fills in what the manifest says of the domain, as it is now, but for its
 * consistency, which is known when its disks were read. */
int backup_describe_domain(struct backup *backup, struct manifest *manifest,
			   struct err *err);

/* Adds the session's disk @i, which was shipped onto @backing ("": none). */
int backup_describe_disk(struct backup *backup, struct manifest *manifest,
			 size_t i, const char *backing, struct err *err);
