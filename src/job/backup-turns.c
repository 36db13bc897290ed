/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * More cuts than one for a point.
 *
 * A first full backup takes hours, and a hold has room for as much as the guest
 * overwrites in some of them.  So a run may end its cut before all was sent:
 * because another run waits and this one had its turn, or because the hold is
 * lost.  What was sent by then is durable, window by window; it is kept, and
 * what changes in it until the next cut is in the set that this one freezes.
 * Only the last cut becomes a point.
 *
 * What is left to send says the run's own set, which nobody else can use and
 * which goes with the process (see pending.h).  It is right as long as the
 * target still has what was sent, and nobody else writes there: the run keeps
 * the repository's lock all the time.  A mirror has no lock, and is begun anew.
 */
#include <string.h>

#include "base/bitmap.h"
#include "base/err.h"
#include "dm/restoring.h"
#include "job/backup-parts.h"
#include "job/turn.h"

/* Somebody else's turn ends some time: nobody hands it over for this long. */
#define GIVE_WAY_S (24 * 3600)

uint64_t backup_left_bytes(const struct backup *backup)
{
	uint64_t left_bytes = 0;

	for (size_t i = 0; i < backup->session->nr_disks; i++) {
		const struct pending *pending = backup->pending[i];

		left_bytes += bitmap_count(pending_to_send(pending)) *
			      pending->block_bytes;
	}
	return left_bytes;
}

/* Before the next cut: has the last one brought us nearer to the end? */
static bool comes_nearer(const struct backup *backup)
{
	return backup->nr_cuts < 2 ||
	       backup->left_bytes < backup->left_before_bytes;
}

/* A cut is a freeze: with little room in a hold there would be thousands. */
static bool is_worth_another(struct backup *backup)
{
	uint64_t before = backup->left_at_loss_bytes;

	backup->left_at_loss_bytes = backup->left_bytes;
	return !before || backup->left_bytes <= before - before / 8;
}

bool backup_is_enough(struct backup *backup)
{
	uint64_t turn_ms = backup->request->turn_s * 1000;

	/* A mirror would be begun anew, and what the target does not keep once
	 * it may not keep again. */
	if (!backup->held.epoch_open || backup->target->is_mirror ||
	    backup->began_anew || !comes_nearer(backup) ||
	    ui_now_ms() - backup->cut_ms < turn_ms ||
	    !turn_is_wanted(backup->session->uuid))
		return false;
	backup->again = BACKUP_AGAIN_TURN;
	return true;
}

int backup_keep_place(struct backup *backup, struct err *err)
{
	const struct session *session = backup->session;
	struct err why = {0};
	int r = 0;

	/* A mirror is begun anew: what it was sent by this cut it is not known
	 * by. */
	for (size_t i = 0; i < session->nr_disks && r == 0; i++)
		if (!backup->target->is_mirror)
			r = pending_store(session->state_dir,
					  backup->pending[i], &why);
	for (size_t i = 0; i < session->nr_disks && r == 0; i++)
		r = tracker_epoch_end(session->stacks[i].name,
				      backup->held.instant.epoch, &why);
	backup->held.epoch_open = backup->held.epoch_open && r < 0;
	if (r == 0)
		return 0;
	err_clear(err);
	return fail(err, r, "%s", why.text);
}

bool backup_may_go_on(struct backup *backup, int r, struct err *err)
{
	if (!backup->recorded || backup->committing)
		return false;
	/* What else failed is no better with another cut. */
	if (r == -EIO && backup->again == BACKUP_AGAIN_NOT &&
	    held_is_lost(&backup->held, err))
		backup->again = BACKUP_AGAIN_HOLD;
	switch (backup->again) {
	case BACKUP_AGAIN_TURN:
		return true;
	case BACKUP_AGAIN_HOLD:
		return is_worth_another(backup);
	case BACKUP_AGAIN_ANEW:
		return !backup->began_anew;
	case BACKUP_AGAIN_NOT:
		break;
	}
	return false;
}

/* -------------------------------------------------------------- the turn */

int backup_open_session(struct backup *backup, const struct turn_wait *wait,
			struct err *err)
{
	int r = session_open(backup->request->connect, backup->request->domain,
			     wait, &backup->session, err);

	backup->held.session = backup->session;
	if (r < 0)
		return r;
	/* A point of half restored disks would only displace a good one. */
	r = restoring_check(backup->session->state_dir, err);
	if (r < 0)
		err_prefix(err, "%s", backup->session->domain->name);
	return r;
}

/* What was sent is of these disks. */
static int check_same(const struct backup *backup, struct err *err)
{
	const struct session *session = backup->session;
	const struct backup_report *report = backup->report;
	bool same = session->nr_disks == report->nr_disks &&
		    strcmp(session->uuid, backup->target->domain_uuid) == 0;

	for (size_t i = 0; same && i < report->nr_disks; i++)
		same = strcmp(session->disks[i].disk->target,
			      report->disks[i].target) == 0;
	return same ? 0
		    : fail(err, -EAGAIN,
			   "%s: is another domain, or has other disks, than "
			   "when the backup began; back it up again",
			   session->domain->name);
}

/* It may have been started, stopped or changed by the time it is ours again. */
static int give_way(struct backup *backup, struct err *err)
{
	const struct turn_wait wait = {.wait_s = GIVE_WAY_S,
				       .target = backup->target->location,
				       .cancelled = backup->cancelled,
				       .ui = backup->ui};
	int r;

	session_close(TAKE_PTR(backup->session));
	r = backup_open_session(backup, &wait, err);
	return r < 0 ? r : check_same(backup, err);
}

int backup_go_on(struct backup *backup, struct err *err)
{
	const char *name = backup->session->domain->name;
	bool turn = backup->again == BACKUP_AGAIN_TURN;
	char left[16];

	if (!turn)
		ui_note(backup->ui, "%s", err->text);
	ui_size(left, backup_left_bytes(backup));
	ui_note(backup->ui,
		turn ? "%s: another run goes first; %s are left"
		     : "%s: going on with a new cut; %s are left",
		name, left);
	err_clear(err);
	backup->began_anew |= backup->again == BACKUP_AGAIN_ANEW;
	backup->again = BACKUP_AGAIN_NOT;
	watchdog_end(&backup->held.watchdog);
	backup->held.instant = (struct instant){0};
	backup_forget_pending(backup);
	return give_way(backup, err);
}
