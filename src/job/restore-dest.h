/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a disk is restored to: a new file or a block device.
 *
 * A file is written under the name PATH.partial and gets its own in the end,
 * so a file called PATH is always a whole disk.  A device cannot be written
 * beside itself: it is claimed exclusively, and after a failure the caller
 * says that its content is neither the old nor the new one.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/cleanup.h"

struct err;

struct restore_dest {
	char *path;          /* absolute */
	char *partial;       /* file: written to until the end; NULL: device */
	int fd;              /* keeps it ours */
	uint64_t size_bytes; /* of the device; a file's is the disk's */
	bool replace;        /* there is a file at @path, and it may go */
};

/*
 * Checks the destination for a disk of @size_bytes and claims it: a new
 * sparse file (an existing one only with @force), or a block device that is
 * large enough and that nobody uses. -EBUSY: somebody does.
 */
int restore_dest_open(const char *path, uint64_t size_bytes, bool force,
		      struct restore_dest **ret_dest, struct err *err);

/* What to write to, before restore_dest_commit(). */
const char *restore_dest_writable(const struct restore_dest *dest);

/* The content is complete: durable, and under its name. */
int restore_dest_commit(struct restore_dest *dest, struct err *err);

/* Removes a file that was not committed. */
void restore_dest_close(struct restore_dest *dest);
DEFINE_CLEANUP(struct restore_dest *, restore_dest_close);
#define _cleanup_restore_dest_ _cleanup_(cleanup_restore_dest_close)
