/* SPDX-License-Identifier: GPL-2.0-or-later */
/* QEMU's image locks, as one who writes and lets nobody else write. */
#pragma once

struct err;

/*
 * Locks the image open in @fd. The locks belong to the open file description:
 * they last until its last descriptor (or user in the kernel) is gone. -EBUSY:
 * a QEMU has it.
 */
int image_lock(int fd, const char *path, struct err *err);
