/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A live migration whose disks are brought there by somebody else:
 *
 *	vm_migrate_start()     RAM begins to be copied, while the guest runs
 *	vm_migrate_progress()  how far it is
 *	vm_migrate_set_speed() slow enough, so that it does not end by itself
 *	... vm_dom_suspend(), the last of the disks, vm_migrate_set_speed() ...
 *	vm_migrate_wait()      the domain is over there, paused, or still here
 *
 * It is a client's migration (not peer to peer): if this process dies, libvirt
 * over there ends what has come in.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/cleanup.h"

struct err;
struct vm_dom;
struct vm_host;
struct vm_migration;

struct vm_migrate_request {
	struct vm_host *to;
	const char *uri;  /* for the RAM: tcp://HOST; NULL: libvirt's choice */
	const char *xml;  /* the domain over there, as it runs */
	const char *next; /* and as it will be started */
};

/* Begins it, at the slowest, in a thread of its own. To be ended by
 * vm_migrate_wait(). */
int vm_migrate_start(struct vm_dom *dom,
		     const struct vm_migrate_request *request,
		     struct vm_migration **ret_migration, struct err *err);

struct vm_migrate_progress {
	uint64_t total_bytes, left_bytes; /* of RAM; 0 and 0: not begun yet */
	uint64_t bytes_per_s;             /* at which it is copied now */
	uint64_t iterations; /* how often what changed was looked at */
};

/* While it goes on; both are 0 when it does not any more. */
int vm_migrate_progress(struct vm_migration *migration,
			struct vm_migrate_progress *ret_progress,
			struct err *err);

/* True once it has come to its end, whatever that is. */
bool vm_migrate_has_ended(const struct vm_migration *migration);

#define VM_MIGRATE_SLOWEST 1 /* MiB/s */
#define VM_MIGRATE_UNLIMITED 0

int vm_migrate_set_speed(struct vm_migration *migration,
			 unsigned long mib_per_s, struct err *err);

/* Of any process: whether the domain is on its way, and to end that. */
bool vm_dom_is_migrating(struct vm_dom *dom);

/* Whether that is why QEMU is not here any more. */
bool vm_dom_has_migrated(struct vm_dom *dom);
void vm_dom_abort_migration(struct vm_dom *dom);

/* Tells it to end without success. */
void vm_migrate_abort(struct vm_migration *migration);

/* Leaves it, and its thread, to itself. */
void vm_migrate_leave(struct vm_migration *migration);

/*
 * Waits for its end, at most @wait_ms (0: as long as it takes), and frees it.
 * 0: the domain is over there. -ETIMEDOUT: the other host does not answer; its
 * thread is left to itself.
 */
int vm_migrate_wait(struct vm_migration *migration, unsigned int wait_ms,
		    struct err *err);
