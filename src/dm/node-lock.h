/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Image locks on every node that a device has.
 *
 * A lock on a device is one on its node, and libvirt gives each QEMU nodes of
 * its own, in a /dev that nobody else sees: a lock on ours says nothing to it.
 * So who is to keep a QEMU from using a device locks what that QEMU has open.
 */
#pragma once

#include <stddef.h>

struct err;

/*
 * Locks the nodes of the device @name that other processes have open, but for
 * the one that everybody sees. The caller closes what is in @ret_fds, which lets
 * go of them, and frees it. -EAGAIN: no QEMU has it open; -EBUSY: one uses it.
 */
int node_lock_all(const char *name, int **ret_fds, size_t *ret_nr_fds,
		  struct err *err);
