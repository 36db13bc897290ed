/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A hold on a disk: a device that shows what the next cut freezes as it was at
 * that cut, see dm-dsync(4).
 *
 *	/dev/mapper/dsync-DOMAIN-TARGET-hold     target dsync-hold, read-only
 *	  └─ store (hold-store.h)
 *
 * It takes nothing from the guest but time: if the store does not suffice, the
 * hold is lost and the guest goes on.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/name.h"

struct err;
struct stack_disk;

/* How often hold_release() is worth a call: what one message can name. */
#define HOLD_MAX_RANGES 64

struct hold_range {
	uint64_t first, count; /* blocks */
};

/*
 * Makes the hold that the next epoch of @disk binds to, one of @nr_holds that
 * are in place together; its device is called @ret_name. One that is left of an
 * earlier run is removed first. -ENOSPC: no room for its store.
 */
int hold_create(const struct stack_disk *disk, size_t nr_holds,
		char ret_name[DISK_NAME_SIZE], struct err *err);

/*
 * Removes the hold of the disk whose device has that @name and @uuid, with its
 * store. Absent is no failure; -EBUSY: somebody reads it.
 */
int hold_remove(const char *name, const char *uuid, struct err *err);

/* These blocks of the device @name need no protection any more. */
int hold_release(const char *name, const struct hold_range ranges[],
		 size_t nr_ranges, struct err *err);
