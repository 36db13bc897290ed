/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A domain that moves to another host exists on both of them for a while, and
 * must run on one of them only.
 *
 * The host that it leaves has, durably, from before the move could become final
 *
 *	STATE_DIR/handover		STATE_DIR: /var/lib/dsync-vm/UUID
 *
 * which says where it goes.  As long as it is there nothing starts the domain
 * here, and nothing backs its disks up: they are not what it works with.  It
 * goes when it turns out that the domain did not leave, or when it comes back.
 *
 * The host that it comes to has
 *
 *	/run/dsync-vm/UUID/incoming	locked by the process that receives it,
 *					and no migration is let in without
 *	/run/dsync-vm/UUID/coming	one was, and QEMU is about to start for
 *					it, and for nothing else
 *	STATE_DIR/filled		nothing but receivers wrote to its
 *					disks since the first of them
 *	STATE_DIR/arriving		durable, until the move is final, and
 *					nothing else starts it; empty as long as
 *					its disks are of no use, then the XML
 *					that goes with them
 */
#pragma once

#include <signal.h>
#include <stdbool.h>

/* To the process that receives it: the domain has left the other host. One that
 * nobody else sends, as when a host goes down. */
#define HANDOVER_SIGNAL SIGUSR1

struct err;

/* What the host that it leaves knows. */
struct handover {
	char *uri;    /* where it goes; NULL: it does not */
	bool left;    /* it is not here any more */
	bool running; /* it ran when it began to leave */
};

void handover_clear(struct handover *handover);
#include "base/cleanup.h"
#define _cleanup_handover_ _cleanup_(handover_clear)

/* Marks the domain as one that leaves, or has left, durably. */
int handover_mark(const char *state_dir, const struct handover *handover,
		  struct err *err);

/* It stays, or is back. The mark need not be there. */
int handover_end(const char *state_dir, struct err *err);

/* To be cleared by the caller. One that cannot be read is a failure. */
int handover_read(const char *state_dir, struct handover *ret_handover,
		  struct err *err);

/* -EBUSY if it leaves, has left, or is arriving here: @err says so, and what to
 * do. */
int handover_check(const char *state_dir, struct err *err);

/* It begins to arrive here (@xml is NULL), or all of its disks have, and are
 * those of @xml; the move is final, or was given up, and the domain may write
 * to them. Durable. */
int handover_arrive(const char *state_dir, const char *xml, struct err *err);
int handover_arrived(const char *state_dir, struct err *err);
bool handover_is_arriving(const char *state_dir);

bool handover_is_whole(const char *state_dir);

/* What one that is whole is to be started from. The caller frees it. */
int handover_read_xml(const char *state_dir, char **ret_xml, struct err *err);

/* Its disks are filled from another host; it is started here, or something else
 * writes to them; whether that was since. Durable. */
int handover_fill(const char *state_dir, struct err *err);
int handover_spoil(const char *state_dir, struct err *err);
bool handover_is_filled(const char *state_dir);

/* Lets a migration of the domain in, until the descriptor that is returned is
 * closed, however that happens. -EBUSY: another process does. */
int handover_let_in(const char *domain_uuid, struct err *err);

/* Tells who does that to end it, if he has no reason to go on. */
void handover_tell(const char *domain_uuid);

/* Whether one may come in now. */
bool handover_is_let_in(const char *domain_uuid);

/*
 * Hook only: a migration is let in, and what is prepared next is for that one;
 * whether it was, which counts once. Whoever else starts it at that time is not
 * let in.
 */
int handover_comes(const char *domain_uuid, struct err *err);
bool handover_has_come(const char *domain_uuid);
