/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a disk reads as at a point, block by block: the sums of its image and,
 * where that has none, of the images under it.
 *
 * A file of sums that is missing or damaged makes everything unknown that no
 * newer one knows, because nobody can tell which blocks it hid.  What no file
 * of a whole chain knows was never written there, and reads as zeroes.
 */
#pragma once

#include <stdint.h>

#include "base/cleanup.h"
#include "repo/sum.h"

struct bitmap;
struct catalog;
struct err;
struct manifest;
struct repo_domain;
struct sums_view;

/*
 * Opens the sums of the disk @target at @point (NULL: of an image that has
 * nothing under it, and reads as zeroes). Damage is no error but unknown
 * blocks; sums_view_problem() tells. -EBADMSG: a point of the chain is
 * missing.
 */
int sums_view_open(const struct repo_domain *domain,
		   const struct catalog *catalog, const struct manifest *point,
		   const char *target, struct sums_view **ret_view,
		   struct err *err);
void sums_view_close(struct sums_view *view);
DEFINE_CLEANUP(struct sums_view *, sums_view_close);
#define _cleanup_sums_view_ _cleanup_(cleanup_sums_view_close)

/*
 * From now on, what verify found damaged (damage.h) is unknown. Adds those
 * blocks to @map, if not NULL, whose blocks are of @block_bytes.
 */
int sums_view_distrust(struct sums_view *view, const struct repo_domain *domain,
		       const char *target, struct bitmap *map,
		       uint32_t block_bytes, struct err *err);

/*
 * Fills @sums with what blocks [first, first + count) contain. Fast in
 * ascending order. @ret_layers, if not NULL, gets for each block the number of
 * the image that has it, 0 for the point's own, UINT16_MAX for none.
 */
void sums_view_look_up(struct sums_view *view, uint64_t first, uint64_t count,
		       struct sum *sums, uint16_t *ret_layers);

/* Marks in @map, of blocks of SUM_BLOCK_BYTES, what is in the point's own
 * image: all of it if that is not known. */
int sums_view_own(struct sums_view *view, struct bitmap *map, struct err *err);

size_t sums_view_nr_layers(const struct sums_view *view);
/* The point of image @layer. */
const char *sums_view_point(const struct sums_view *view, uint16_t layer);

/* What is wrong with the files, in one line. NULL: nothing so far. */
const char *sums_view_problem(const struct sums_view *view);
