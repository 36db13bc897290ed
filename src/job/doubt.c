/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Each doubt has a sentence, and the one that explains most comes first. */
#include "job/doubt.h"

#include "job/session.h"
#include "repo/pending.h"

static const char *why_untracked(const struct session *session, size_t i)
{
	if (session->disks[i].tracker.state == TRACKER_UNTRACKED)
		return "changes are not tracked: the module dm-dsync was "
		       "missing when the domain was started";
	if (!session_is_tracked(session))
		return "another disk is not tracked, so no cut can be taken";
	return NULL;
}

const char *doubt_since_cut(const struct session *session, size_t i,
			    const struct pending *pending)
{
	const struct tracker_status *tracker = &session->disks[i].tracker;
	const char *untracked = why_untracked(session, i);

	if (untracked)
		return untracked;
	if (tracker->state == TRACKER_LOST)
		return "tracking was lost since the last backup";
	if (!pending_follows(pending, tracker->epoch))
		return "tracking began anew since the last backup";
	return NULL;
}

const char *doubt_about(const struct session *session, size_t i,
			const struct pending *pending, bool paired)
{
	const char *untracked = why_untracked(session, i);

	if (untracked)
		return untracked;
	if (!paired)
		return pending->newest[0] || pending->reason != PENDING_NEW
			       ? "the target is not where our last run left it"
			       : "this host has no record of the points there";
	if (pending->reason != PENDING_TRACKED)
		return pending_reason_text(pending->reason);
	return doubt_since_cut(session, i, pending);
}
