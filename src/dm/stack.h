/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What stands between a guest and its disk:
 *
 *	/dev/mapper/dsync-DOMAIN-TARGET     target dsync, or linear without it
 *	  ├─ block device, or loop device on a raw file
 *	  └─ metadata: block device, or loop device on a file of ours
 *
 * Building is idempotent: what is there already and fits is adopted, what is
 * there and is somebody else's is refused and left alone.  That metadata cannot
 * be used does not fail it: then changes are kept in RAM only.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/name.h"

struct err;

/* One disk's stack. Plain data, so that a hook can list them on its stack. */
struct stack_disk {
	char name[DISK_NAME_SIZE]; /* of the device */
	char uuid[DISK_UUID_SIZE]; /* disk_uuid() */
	const char *path;          /* original: block device or raw file */
	/* Whose it is; only needed to build it. */
	const char *domain_name, *domain_uuid, *target;
};

enum stack_state {
	STACK_ABSENT,
	STACK_TRACKED, /* target dsync */
	STACK_LINEAR,  /* the module was missing: untracked */
	STACK_FOREIGN, /* the name is taken by a device that is not ours */
};

/* What building has come to. */
struct stack_report {
	enum stack_state state; /* STACK_TRACKED or STACK_LINEAR */
	bool trusted;           /* what is tracked is all that was written */
	char note[700];         /* what the admin should know; "": nothing */
};

int stack_state(const struct stack_disk *disk, enum stack_state *ret_state,
		struct err *err);

/*
 * Builds it, or adopts it. -EBUSY: in use on another path or locked by a QEMU;
 * -EEXIST: foreign; -ENOENT: no such file or device. As all that builds or
 * removes, to be called with stack.lock held, see dm/use.h.
 */
int stack_build(const struct stack_disk *disk, struct stack_report *ret_report,
		struct err *err);

/*
 * Takes it down; the loop device, if any, goes with it. Absent is no failure.
 * -EBUSY: still in use. -EEXIST: foreign, left alone.
 */
int stack_remove(const struct stack_disk *disk, struct err *err);

/* All of them or none: those built by this call are removed on failure. */
int stack_build_all(const struct stack_disk *disks, size_t nr_disks,
		    struct stack_report ret_reports[], struct err *err);

/*
 * Takes down every device of that domain, known by its uuid, so also one whose
 * disk has left the domain's XML meanwhile. Tries all of them; returns the
 * first failure.
 */
int stack_remove_domain(const char *domain_uuid, struct err *err);

/* What the metadata of its devices says is not to be believed next time. */
int stack_distrust_domain(const char *domain_uuid, struct err *err);
