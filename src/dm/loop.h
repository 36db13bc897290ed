/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A block device on a raw image file.
 *
 * QEMU keeps others off an image by locks on single bytes of the file, owned
 * by its open file description.  losetup takes none, so an image behind a loop
 * device would be open to qemu-img and to a second VM.  Here the description
 * that the loop device keeps holds them, as long as the loop device lives.
 */
#pragma once

#include <stdbool.h>
#include <sys/types.h>

struct err;

struct loop {
	int fd;         /* keeps it alive, and udev off, until it is in use */
	dev_t dev;      /* 7:N */
	char path[32];  /* /dev/loopN */
	bool direct_io; /* false: the filesystem refused it */
};

/*
 * Maps @path. The device goes by itself when the last opener does, ->fd being
 * the first one. -EBUSY: QEMU, or another loop device, has the file already.
 */
int loop_open(const char *path, struct loop *ret_loop, struct err *err);

void loop_close(struct loop *loop);
#include "base/cleanup.h"
#define _cleanup_loop_ _cleanup_(loop_close)

/* True if block device @dev is a loop device on the very file @path. */
bool loop_is_on(dev_t dev, const char *path);
