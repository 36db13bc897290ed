/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Where a hold puts old data: the device that dsync-vm.conf(5) gives the disk,
 * else a file of ours behind a loop device.
 *
 *	STATE_DIR/hold/TARGET		of a device: says that it was blank, is
 *					in use, and is not blank yet again
 *	STATE_DIR/hold/TARGET.store	the file; it is sparse, and has no name
 *					any more once it is in use, so that its
 *					space is free again whatever happens
 */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct err;
struct loop;
struct stack_disk;

/*
 * Opens the store for a hold of @disk, which has @size_bytes; one of @nr_stores
 * that are in use together. -ENOSPC: there is no room for a file; -EUCLEAN: the
 * device has something on it that does not come from a hold. @ret_store is to
 * be closed once the table has it.
 */
int hold_store_open(const struct stack_disk *disk, uint64_t size_bytes,
		    size_t nr_stores, struct loop *ret_store, struct err *err);

/*
 * The store on @dev of a hold that is gone, of the disk whose device has that
 * uuid, is not needed any more.
 */
void hold_store_done(const char *disk_uuid, dev_t dev);
