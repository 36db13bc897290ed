/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Who uses a domain's stacks, so that the last one takes them down.
 *
 * A running VM and a backup may come and go in any order:
 *
 *	VM     ├── prepare ────────── release ┤
 *	backup            ├── use_join ─────────────── use_leave ┤  takes down
 *
 * In /run/dsync-vm/DOMAIN_UUID/ there are
 *
 *	stack.lock  flock, exclusive, for the milliseconds of a stack change;
 *	            never held while shipping
 *	users.lock  flock, shared, by every backup for as long as it needs the
 *	            stacks; exclusive for a moment to see that there is none, and
 *	            by a restore in place for as long as it runs
 *	running     exists from the hook's prepare to its release
 *
 * All functions but use_lock() are called with stack.lock held.  Locks end
 * with their process; /run is empty after a reboot: nothing here needs repair.
 *
 * A backup, then:
 *
 *	lock = use_lock(uuid, ...);
 *	stack_build_all(...);          adopts those of a running VM
 *	user = use_join(uuid, ...);
 *	close(lock);
 *	... ship ...
 *	lock = use_lock(uuid, ...);
 *	if (use_leave(uuid, user, ...) == 1)
 *		stack_remove_domain(uuid, ...);
 *	close(lock); close(user);
 */
#pragma once

#include <stdbool.h>

struct err;

#define USE_LOCK_WAIT_MS 5000

/* Returns a descriptor; closing it unlocks. -EBUSY after @wait_ms. */
int use_lock(const char *domain_uuid, unsigned int wait_ms, struct err *err);

/* Enters a backup as a user. Returns a descriptor; closing it leaves. -EBUSY:
 * somebody has a claim. */
int use_join(const char *domain_uuid, struct err *err);

/*
 * 1: nobody else uses the stacks, take them down; 0: leave them. @user_fd is
 * the descriptor of use_join(), or -1 for the hook. On 1 nobody can join until
 * stack.lock is dropped.
 */
int use_leave(const char *domain_uuid, int user_fd, struct err *err);

/*
 * 1: no backup but, perhaps, that of @user_fd uses them, whether or not a VM
 * does; 0: another one does.
 */
int use_alone(const char *domain_uuid, int user_fd, struct err *err);

/*
 * Makes the only user, of @user_fd, one that no VM may be started beside, until
 * it leaves. -EBUSY: a VM runs or is being started, or there is another user.
 */
int use_claim(const char *domain_uuid, int user_fd, struct err *err);

/* Gives that claim up, and stays a user: from now on one may be started. With
 * stack.lock held, as all of these. */
int use_unclaim(const char *domain_uuid, int user_fd, struct err *err);

/* True from the hook's prepare to its release. */
bool use_is_running(const char *domain_uuid);

/* Hook only: 1 if somebody has made that claim. */
int use_claimed(const char *domain_uuid, struct err *err);

/* Hook only: the VM starts (true), has ended (false). */
int use_set_running(const char *domain_uuid, bool running, struct err *err);
