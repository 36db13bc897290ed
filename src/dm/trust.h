/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Whether a disk's metadata may be believed when its device is built.
 *
 * The module vouches for what passed through it.  That nothing went around it
 * is known only here: by a record that is there as long as the metadata is to
 * be believed,
 *
 *	STATE_DIR/trust/TARGET		STATE_DIR: /var/lib/dsync-vm/UUID
 *
 * so that whoever lets the disk be written in another way only has to remove
 * it, which works on a full filesystem, too.  Without it the metadata is wiped
 * before it is used, and everything counts as changed.
 *
 *	build	wrong or no record ──► remove, wipe metadata ─┐
 *		right record ─────────────────────────────────┴─► "in use"
 *	remove	"in use" ──► what the disk looks like now
 *
 * What it looks like is, for a file, its inode, size and time of change; for a
 * device, how much was written to it since the host was booted: after another
 * boot, that must be nothing.  A record "in use" only says which disk it is:
 * what a crash may have left there, the module knows by its unclean mark.
 *
 * To be called with stack.lock held, see dm/use.h.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

struct err;

struct trust {
	const char *state_dir;
	const char *target; /* vda */
	const char *data;   /* path of the disk */
	const char *meta;   /* path of its metadata */
};

/*
 * Looks whether the record is right. If not, it is gone when this returns, and
 * @ret_why has the reason; a first time has none ("").
 */
int trust_check(const struct trust *trust, bool *ret_trusted,
		const char **ret_why, struct err *err);

/* The metadata is in use from now on. */
int trust_begin(const struct trust *trust, struct err *err);

/* It is not any more: adds the evidence, unless the record is gone. */
int trust_end(const char *state_dir, const char *target, struct err *err);

/* Removes the record, durably. It need not be there. */
int trust_forget(const char *state_dir, const char *target, struct err *err);

/*
 * Removes all records but those of @targets. @ret_count is the number of those
 * that were removed.
 */
int trust_forget_others(const char *state_dir, const char *const targets[],
			size_t nr_targets, unsigned int *ret_count,
			struct err *err);
