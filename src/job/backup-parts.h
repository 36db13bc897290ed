/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The parts of a backup, for backup.c alone: what has to be shipped
 * (backup-plan.c), how it gets there (backup-ship.c), with more cuts than one
 * if that takes long (backup-turns.c), what the point says of itself
 * (backup-point.c).
 */
#pragma once

#include <time.h>

#include "base/err.h"
#include "job/backup.h"
#include "job/held.h"
#include "job/session.h"
#include "job/target.h"
#include "job/turn.h"
#include "job/ui.h"
#include "repo/manifest.h"
#include "repo/pending.h"
#include "ship/pace.h"

/* Why a cut did not become the point, which another one may. */
enum backup_again {
	BACKUP_AGAIN_NOT,
	BACKUP_AGAIN_TURN, /* another run waits, and this one took long */
	BACKUP_AGAIN_HOLD, /* a hold is lost */
	BACKUP_AGAIN_ANEW, /* the target lost what it had been sent */
};

struct backup {
	const struct backup_request *request;
	struct session *session;
	struct target *target;
	struct pending **pending; /* one for each disk of the session */
	struct held held;
	char run[UUID_SIZE]; /* see pending.h */
	bool recorded;       /* every target has what this cut froze */
	bool committing;     /* the point may be there already */
	unsigned int nr_cuts;
	uint64_t cut_ms;             /* of ui_now_ms() */
	uint64_t left_bytes;         /* to send, at the last cut */
	uint64_t left_before_bytes;  /* and at the one before */
	uint64_t left_at_loss_bytes; /* at the last cut that lost its hold */
	enum backup_again again;
	bool began_anew; /* once is no loop */
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

void backup_forget_pending(struct backup *backup);

/* What is left to be sent, of all disks. */
uint64_t backup_left_bytes(const struct backup *backup);

/*
 * Between two windows, and between two disks: true if it is time to let another
 * run go first. That is not so if the last cut came no nearer to the end than
 * the one before: a guest that writes faster than it is sent is never done, but
 * with one long cut it is.
 */
bool backup_is_enough(struct backup *backup);

/*
 * Ends the epochs of a cut that does not become the point, after what it froze
 * and what is durable at the target is written down: the next cut goes on
 * there. A failure takes the place of the one in @err.
 */
int backup_keep_place(struct backup *backup, struct err *err);

/* If a hold is lost, or the run ended between two windows: whether another cut
 * may help. @r is what the cut came to, and @err why. */
bool backup_may_go_on(struct backup *backup, int r, struct err *err);

/* Takes the domain's turn, waiting for it as @wait says, and looks at it. */
int backup_open_session(struct backup *backup, const struct turn_wait *wait,
			struct err *err);

/* Lets another run go first, if one waits, and prepares the next cut. */
int backup_go_on(struct backup *backup, struct err *err);

/* How quiet the domain was at the cut. */
enum consistency backup_consistency(const struct backup *backup);

/* Fills in what the manifest says of the domain, as it is now, but for its
 * consistency, which is known when its disks were read. */
int backup_describe_domain(struct backup *backup, struct manifest *manifest,
			   struct err *err);

/* Adds the session's disk @i, which was shipped onto @backing ("": none). */
int backup_describe_disk(struct backup *backup, struct manifest *manifest,
			 size_t i, const char *backing, struct err *err);
