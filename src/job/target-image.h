/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The image that a disk's blocks go to in a repository of this host: its
 * server, and what is known of its blocks.  Who sends the blocks, and by which
 * way they come, is not its business.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "job/ledger.h"
#include "job/target.h"

struct bitmap;
struct pending;
struct ship_server;
struct target_repo;

struct target_image {
	char disk[TARGET_DISK_SIZE];
	char backing[POINT_SIZE];
	/* Something of it is known, so a later run can go on with it: because
	 * an earlier run had sent something, or a window was closed. */
	bool resumable;
	struct ship_server *server;
	struct ledger_files known; /* of its blocks */
};

/* Adds to @damaged what verify found so in the images that the next one of
 * @pending's disk would be over. */
int target_image_find_damaged(const struct target_repo *to,
			      const struct pending *pending,
			      struct bitmap *damaged, struct err *err);

/*
 * Makes the image of @to's point for what is @pending, or takes over the one
 * that an earlier run left, and serves it. Dropped by target_image_drop(),
 * also after a failure.
 */
int target_image_begin(struct target_repo *to, const struct pending *pending,
		       struct target_image *ret_image, struct err *err);

/* As target_open_window() and target_close_window(). */
int target_image_open_window(const struct target_repo *to,
			     const struct target_image *image,
			     const struct pending *pending, uint64_t first,
			     uint64_t end, struct err *err);
int target_image_close_window(const struct target_repo *to,
			      struct target_image *image,
			      const struct pending *pending, struct err *err);

/* All its connections are closed: ends the server, makes all durable. */
int target_image_end(struct target_repo *to, struct target_image *image,
		     const struct pending *pending, struct err *err);

/* Gives it up where it is. */
void target_image_drop(struct target_image *image);
