/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Where a backup goes: a repository, here or on another host, where each run
 * becomes a point, or a mirror, where each run changes one image in place.
 *
 *	target_open()        which target is it, which are its newest points?
 *	target_begin_disk()  a destination to ship to
 *	target_end_disk()    it is durable, but does not count yet
 *	target_commit()      now it does
 *
 * What is known of the newest points is here; how the rest is done differs,
 * and each kind of target has a file for it: target-repo.c, target-far.c,
 * target-mirror.c.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#include "base/cleanup.h"
#include "base/uuid.h"
#include "repo/point.h"
#include "ship/ship.h"

struct err;
struct keep;
struct manifest;
struct pending;
struct seed;
struct sieve;
struct target_line;
struct target_ops;
struct ui;

#define TARGET_DISK_SIZE 64 /* vda, with its terminating zero */

/* The newest point of a disk. */
struct target_head {
	char disk[TARGET_DISK_SIZE];
	char point[POINT_SIZE];
	uint64_t size_bytes;
	size_t depth; /* images that it is read through */
};

struct target {
	const struct target_ops *ops;
	char *location; /* path or URI, for messages */
	char id[UUID_SIZE];
	char domain_uuid[UUID_SIZE];
	char point[POINT_SIZE]; /* of this run, after target_begin() */
	bool is_mirror;
	struct target_head *heads; /* none of a mirror */
	size_t nr_heads;
	struct ui *ui;
};

/* One disk on its way to a target. All zero before target_begin_disk(). */
struct target_disk {
	char disk[TARGET_DISK_SIZE];
	char backing[POINT_SIZE]; /* point it overlays, "": none */
	bool resumed;             /* an earlier run had sent something */
	struct ship_dest *dest;
	struct sieve *sieve;      /* what need not be sent; NULL for a mirror */
	struct target_line *line; /* how it gets there; NULL for a mirror */
	const struct target_ops *ops;
};

/* Whose disks go to a target. All strings stay with the caller. */
struct target_owner {
	const char *name, *uuid; /* of the domain */
	const char *state_dir;   /* where it is known which targets it has */
	size_t nr_disks;
	struct seed *seed; /* the host that they move to; NULL: they do not */
};

/*
 * Opens the target @spec for the domain of @owner: an NBD URI, the URI of a
 * repository on another host (ssh://) or the path of one here; or @owner's
 * seed. What earlier runs left half done there is removed. @ui, for what the
 * target has to say, and @cancelled stay with it.
 */
int target_open(const char *spec, const struct target_owner *owner,
		ship_cancel cancelled, struct target **ret_target,
		struct ui *ui, struct err *err);
void target_close(struct target *target);
DEFINE_CLEANUP(struct target *, target_close);
#define _cleanup_target_ _cleanup_(cleanup_target_close)

/* The newest point the target has of @disk; "": it has none or is a mirror. */
const char *target_newest(const struct target *target, const char *disk);

/*
 * True if the target is where @pending says that our last run left it, so
 * that shipping what is pending brings it up to date. A newest point that was
 * committed but whose acknowledgement was lost is one of ours too.
 */
bool target_is_paired(const struct target *target,
		      const struct pending *pending);

/*
 * The point whose image the next one of @disk overlays: the newest, unless the
 * disk shrank since, whose content is then not what lies under an overlay. "":
 * none, or a mirror.
 */
const char *target_backing(const struct target *target, const char *disk,
			   uint64_t size_bytes);

/* How many images the disk is read through at its newest point; 0: it has
 * none, or is a mirror. */
size_t target_depth(const struct target *target, const char *disk);

/* Of a mirror: whether it still has the blocks that were shipped to it last, as
 * @pending knows them. */
int target_check_tail(struct target *target, const struct pending *pending,
		      bool *ret_matches, struct err *err);

/* Adds to @pending what verify found damaged in the images that the next one
 * of the disk would overlay. */
int target_add_damaged(struct target *target, struct pending *pending,
		       struct err *err);

/* Names the point of this run, cut at @now. */
int target_begin(struct target *target, time_t now, struct err *err);

/*
 * A destination for what is @pending of a disk. Ended by target_end_disk().
 * ->resumed: what is pending and not to be sent is there, from an earlier run
 * or an earlier cut of this one; else all that is pending must be sent.
 */
int target_begin_disk(struct target *target, const struct pending *pending,
		      struct target_disk *ret_disk, struct err *err);

/*
 * Before units [first, end) of what is to be sent are, and after they were
 * and are flushed: should the run end later, they need not be sent again.
 */
int target_open_window(struct target *target, struct target_disk *disk,
		       const struct pending *pending, uint64_t first,
		       uint64_t end, struct err *err);
int target_close_window(struct target *target, struct target_disk *disk,
			const struct pending *pending, struct err *err);

/* Closes and makes durable what was shipped. */
int target_end_disk(struct target *target, struct target_disk *disk,
		    const struct pending *pending, struct err *err);

/* Closes without any promise: for the way out after a failure. */
void target_drop_disk(struct target_disk *disk);
#define _cleanup_target_disk_ _cleanup_(target_drop_disk)

/* Commits the run; @manifest is all it says of itself. */
int target_commit(struct target *target, struct manifest *manifest,
		  struct err *err);

/* Removes what this run shipped without committing it. */
void target_abandon(struct target *target);

/* Removes points that @keep does not keep, as many as can be; says what could
 * not. @ret_removed counts them. */
int target_thin_out(struct target *target, const struct keep *keep,
		    size_t *ret_removed, struct err *err);
