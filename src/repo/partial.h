/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a run sent that did not come to its end, for the next one to go on
 * with.  Under the name of the point that it would have become:
 *
 *	<point>.qcow2.partial    the image, over the newest one
 *	<point>.sums.partial     of it what is durable, window by window
 *	<point>.window.partial   which blocks the window under way may change
 *	<point>.earlier.partial  of it what runs before that one had sent
 *
 * A window is a stretch of the disk: its blocks are written down as lost, sent,
 * flushed, and then their sums count.  So at every instant each block that the
 * image has of its own is known to be lost or has a sum that is durable, and
 * was so before the block was overwritten.
 *
 * A block that is lost is sent again.  One with a sum is sent if it is another
 * now: compared with that sum, never with what is under the image.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct bitmap;
struct catalog;
struct err;
struct repo_domain;
struct sums;
struct sums_id;

/*
 * Looks for what an interrupted run left of the disk, over the same image, of
 * the same size, and all of it in @map (blocks of @block_bytes): then it gets
 * the names of the point that @id speaks of, and @ret_earlier, to be freed by
 * sums_close(), says what it has. All else is removed; NULL: there is nothing
 * to go on with.
 */
int partial_adopt(const struct repo_domain *domain, const struct sums_id *id,
		  const struct bitmap *map, uint32_t block_bytes,
		  struct sums **ret_earlier, struct err *err);

/*
 * True if the image @point of @target that is being written, or was, is worth
 * keeping: something of it is known, and it is over the newest one.
 */
bool partial_is_useful(const struct repo_domain *domain,
		       const struct catalog *catalog, const char *target,
		       const char *point);

/* Durably writes down that the blocks of @map from unit @first up to @end may
 * change in the image. The last one is closed. */
int partial_open_window(const struct repo_domain *domain,
			const struct sums_id *id, const struct bitmap *map,
			uint32_t block_bytes, uint64_t first, uint64_t end,
			struct err *err);

/* They will not change any more, and their sums are durable. */
int partial_close_window(const struct repo_domain *domain,
			 const struct sums_id *id, struct err *err);

/*
 * The image is complete, and its sums are durable: durably removes what else
 * is known of it, which is older. Before any of them gets another name.
 */
int partial_forget(const struct repo_domain *domain, const char *target,
		   const char *point, struct err *err);

/* Removes all files of the partial image. */
int partial_discard(const struct repo_domain *domain, const char *target,
		    const char *point, struct err *err);
