/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The metadata of a disk, as META_DEV of its table: the device that
 * dsync-vm.conf(5) gives it, else a file of ours behind a loop device.
 *
 *	STATE_DIR/meta/TARGET
 *
 * The file is written in full: a write into a hole could fail for want of
 * space, and would have the filesystem wait for its journal.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct err;
struct loop;

struct meta_place {
	char *path;
	bool configured; /* a device of the admin's */
};

/* Where the metadata of the disk @target is, or would be. */
int meta_place_find(const char *domain_name, const char *domain_uuid,
		    const char *target, struct meta_place *ret_place,
		    struct err *err);
void meta_place_clear(struct meta_place *place);
#include "base/cleanup.h"
#define _cleanup_meta_place_ _cleanup_(meta_place_clear)

/*
 * Opens it for a disk of @data_sectors, making a file that is not there.
 * Unless it is @trusted it is wiped, durably, so that the module formats it;
 * but a device whose content is not that of metadata is left alone: -EUCLEAN.
 * -ENOSPC: no room for the file, or the device is too small. @ret_meta is to
 * be closed once the table has it.
 */
int meta_open(const struct meta_place *place, uint64_t data_sectors,
	      bool trusted, struct loop *ret_meta, struct err *err);
