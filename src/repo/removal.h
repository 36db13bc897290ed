/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A point on its way out.  Its manifest goes first, and with it the point; but
 * its images may be what later points are read through, so their blocks have
 * to go somewhere before the files can.
 *
 *	points/P.json            -> P.json.removed    the point is gone
 *	for each disk, with C the image over P's:
 *	    what C.qcow2 has is written into P.qcow2, and made durable
 *	    C.sums               <- both sums merged
 *	    P.qcow2              -> C.qcow2
 *	    P.sums, P.damaged    are removed
 *	C.json names the parent and the backing images that P had
 *	P.json.removed           is removed
 *
 * C reads the same at every instant, through P or instead of P, and so does
 * every later point.  Each step can be repeated, so whoever comes next takes
 * up what was left: removal_list() says what.  What is kept in P.json.removed
 * is what it takes to go on, and to read C meanwhile.
 *
 * The domain is locked for all of these but removal_adapt().
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct bitmap;
struct catalog;
struct err;
struct manifest;
struct manifest_disk;
struct repo_domain;

/* Takes the point @point away, durably. */
int removal_begin(const struct repo_domain *domain, const char *point,
		  struct err *err);

/* All names of points on their way out; freed by strings_free(). */
int removal_list(const struct repo_domain *domain, char ***ret_points,
		 size_t *ret_count, struct err *err);

/*
 * For catalog_load(): brings @catalog, whose hidden points are read, to the
 * state in which the hidden points' children have what is true now: the parent
 * that is left, and the image that theirs is over.
 */
void removal_adapt(const struct repo_domain *domain, struct catalog *catalog);

/* Where one disk of the point is. */
enum removal_state {
	REMOVAL_ALONE,   /* nothing is over its image */
	REMOVAL_COVERED, /* an image is; its blocks are not all in this one */
	REMOVAL_MERGED,  /* they are, and so say the sums of that one */
	REMOVAL_DONE,    /* no file is left */
};

/*
 * @child: whose image is over that of the disk @target of @point, NULL if
 * there is none. -EBADMSG: the sums of @child say that it is over neither this
 * one nor the one under it.
 */
int removal_state(const struct repo_domain *domain,
		  const struct manifest *point, const char *target,
		  const struct manifest *child, enum removal_state *ret_state,
		  struct err *err);

/* That the sums of the image can be read to their end; -EBADMSG if not.
 * @ret_blocks: of how many blocks it has data. May be NULL. */
int removal_check_sums(const struct repo_domain *domain,
		       const struct manifest *point, const char *target,
		       uint64_t *ret_blocks, struct err *err);

/* Marks in @map, of blocks of SUM_BLOCK_BYTES, what the image of @point has of
 * its own. */
int removal_own_blocks(const struct repo_domain *domain,
		       const struct manifest *point, const char *target,
		       struct bitmap *map, struct err *err);

/* The blocks of @child are in @point's image and durable: gives it the sums of
 * both. */
int removal_merge_sums(const struct repo_domain *domain,
		       const struct manifest *point, const char *target,
		       const struct manifest *child, struct err *err);

/* Puts @point's image in the place of @child's, and removes the rest. */
int removal_replace_image(const struct repo_domain *domain,
			  const struct manifest *point, const char *target,
			  const struct manifest *child, struct err *err);

/* Removes the files of an image that nothing is over. */
int removal_drop_image(const struct repo_domain *domain, const char *point,
		       const char *target, struct err *err);

/* Every disk is done: the children's manifests, and the last trace. */
int removal_end(const struct repo_domain *domain, const struct catalog *catalog,
		const struct manifest *point, struct err *err);
