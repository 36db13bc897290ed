/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A disk that is restored in place is a mixture, neither what it was nor what
 * it is to be, from the first block that is written to the last.  A guest that
 * is started on it would damage its filesystems for good, and that may be tried
 * long after whoever restored was killed: by libvirt, when the host boots.  So
 * it says so durably, in
 *
 *	STATE_DIR/restoring/TARGET	STATE_DIR: /var/lib/dsync-vm/UUID
 *
 * with what is to be run to finish it.  As long as the file is there the hook
 * does not let the domain start, and it is not backed up.  Whoever knows
 * better removes it.
 */
#pragma once

struct err;

/* Marks a disk, durably. @command is what finishes the restore. */
int restoring_begin(const char *state_dir, const char *target,
		    const char *command, struct err *err);

/* The disk is whole, and flushed. It need not be marked. */
int restoring_end(const char *state_dir, const char *target, struct err *err);

/* -EBUSY if a disk is marked: @err names it, and what to do. */
int restoring_check(const char *state_dir, struct err *err);
/* The same of the disk @target alone. */
int restoring_check_disk(const char *state_dir, const char *target,
			 struct err *err);
