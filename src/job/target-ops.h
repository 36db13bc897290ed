/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the kinds of target differ in, for target*.c alone.  Each function is
 * the target_*() of its name; one that is NULL has nothing to do.
 */
#pragma once

#include "job/target.h"

struct bitmap;

struct target_ops {
	/* Into @damaged, of the disk of @pending. */
	int (*find_damaged)(struct target *target,
			    const struct pending *pending,
			    struct bitmap *damaged, struct err *err);
	int (*begin)(struct target *target, time_t now, struct err *err);
	/* Of a mirror: whether it has what was shipped to it last. */
	int (*check_tail)(struct target *target, const struct pending *pending,
			  bool *ret_matches, struct err *err);
	/* Of @disk its name, ->backing and ->ops are filled in. */
	int (*begin_disk)(struct target *target, const struct pending *pending,
			  struct target_disk *disk, struct err *err);
	int (*open_window)(struct target *target, struct target_disk *disk,
			   const struct pending *pending, uint64_t first,
			   uint64_t end, struct err *err);
	int (*close_window)(struct target *target, struct target_disk *disk,
			    const struct pending *pending, struct err *err);
	/* ->dest is closed, cleanly. */
	int (*end_disk)(struct target *target, struct target_disk *disk,
			const struct pending *pending, struct err *err);
	/* Frees the line of a disk that was not ended. */
	void (*drop_line)(struct target_line *line);
	/* @manifest knows its point and its repository. */
	int (*commit)(struct target *target, struct manifest *manifest,
		      struct err *err);
	void (*abandon)(struct target *target);
	int (*thin_out)(struct target *target, const struct keep *keep,
			size_t *ret_removed, struct err *err);
	/* Closes what is the kind's own, and frees @target. */
	void (*close)(struct target *target);
};

/* Each makes a target of its kind for target_open(), which fills in
 * ->location, ->domain_uuid and ->ui. */
int target_open_mirror(const char *spec, const struct target_owner *owner,
		       ship_cancel cancelled, struct target **ret_target,
		       struct err *err);
int target_open_seed(struct seed *seed, const struct target_owner *owner,
		     ship_cancel cancelled, struct target **ret_target,
		     struct err *err);
int target_open_far(const char *spec, const struct target_owner *owner,
		    ship_cancel cancelled, struct ui *ui,
		    struct target **ret_target, struct err *err);

/* The id of the repository that was at @location at the last backup; "" in
 * @ret_id: none is known. */
int target_known_id(const char *state_dir, const char *location,
		    char ret_id[UUID_SIZE], struct err *err);
