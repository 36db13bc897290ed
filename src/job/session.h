/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A session: one domain, locked against other runs, its tracked disks found
 * and their devices up.
 *
 * A stopped domain gets its devices from the session and loses them when the
 * session ends, unless it was started meanwhile (see dm/use.h).  What a run
 * that was killed left behind, a suspended disk or an open epoch, is put
 * right before anything else happens.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/cleanup.h"
#include "dm/stack.h"
#include "dm/tracker.h"
#include "repo/pending.h"
#include "vm/domain-xml.h"
#include "vm/host.h"

struct err;
struct turn_wait;

struct session_disk {
	const struct vm_disk *disk;
	uint64_t size_bytes;
	struct tracker_status tracker; /* as session_refresh() saw it */
};

struct session {
	struct vm_host *host;
	struct vm_dom *dom;
	struct vm_domain *domain;
	struct vm_dom_state state;
	const char *connect;  /* as the user gave it */
	const char *uuid;     /* of the domain */
	char *state_dir;      /* PLACE_STATE/UUID */
	int turn_fd, user_fd; /* locks; -1: not taken */
	struct session_disk *disks;
	struct stack_disk *stacks; /* one for each of ->disks */
	struct stack_report *reports;
	size_t nr_disks;
};

/*
 * Opens a session on the domain called @name. -ENOENT: no such domain, or
 * none of its disks is attached; -EOPNOTSUPP: none can be; -EBUSY: another
 * run has it, for as long as @wait says (NULL: does not wait), or a disk has a
 * block job. @ret_session is ended by
 * session_close() in any case.
 */
int session_open(const char *connect, const char *name,
		 const struct turn_wait *wait, struct session **ret_session,
		 struct err *err);

/* Reads all trackers' status. */
int session_refresh(struct session *session, struct err *err);

/* True if every disk is tracked; false if one is on dm-linear. */
bool session_is_tracked(const struct session *session);

/* Where the pending sets of the disk @i are; good as long as the session. */
struct pending_disk session_pending_disk(const struct session *session,
					 size_t i);

/* Takes down what is ours alone, and unlocks. */
void session_close(struct session *session);
DEFINE_CLEANUP(struct session *, session_close);
#define _cleanup_session_ _cleanup_(cleanup_session_close)
