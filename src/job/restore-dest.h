/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a disk is restored to: a new file, raw or qcow2, or a block device.
 *
 * A qcow2 file is what "qemu-img create" makes without any options, so that
 * whatever reads qcow2 reads it.  The repository's own options save space where
 * a chain of images has one changed block each; they would save a single image
 * little, and QEMU before 5.2 and readers that are not QEMU refuse them.
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
	const char *format;  /* "raw" or "qcow2" */
	uint64_t size_bytes; /* of the device; a file's is the disk's */
	bool replace;        /* there is a file at @path, and it may go */
};

/* Where a disk is to go. */
struct restore_place {
	const char *path;
	const char *format;  /* of a file; a device is raw */
	uint64_t size_bytes; /* of the disk */
	bool force;          /* what is there may be overwritten */
};

/*
 * Checks the place and claims it: a new sparse file (an existing one only by
 * force), or a block device that is large enough, that nobody uses, and that is
 * empty (others only by force). -EBUSY: somebody uses it.
 */
int restore_dest_open(const struct restore_place *place,
		      struct restore_dest **ret_dest, struct err *err);

/* What to write to, before restore_dest_commit(). */
const char *restore_dest_writable(const struct restore_dest *dest);

/* The content is complete: durable, and under its name. */
int restore_dest_commit(struct restore_dest *dest, struct err *err);

/* Removes a file that was not committed. */
void restore_dest_close(struct restore_dest *dest);
DEFINE_CLEANUP(struct restore_dest *, restore_dest_close);
#define _cleanup_restore_dest_ _cleanup_(cleanup_restore_dest_close)
