/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The image of one disk at one point: REPO/DOMAIN/disks/<target>/<point>.qcow2,
 * standalone or an overlay on an earlier point's image in the same directory,
 * named by a relative path so that a repository can be moved.
 *
 *	image_create_partial()   <point>.qcow2.partial, being written
 *	image_finish()           <point>.qcow2 and <point>.sums, durable and
 *	                         read-only
 *	manifest_commit()        the point exists
 *
 * Any step may be the last one of a run; leftovers_discard() removes in the
 * next what no manifest speaks of.
 *
 * Clusters of 128 KiB with extended L2 entries have subclusters of exactly
 * 4 KiB: one changed block costs one block, not a cluster.
 */
#pragma once

#include <stdint.h>

#include "repo/point.h"

struct catalog;
struct err;
struct manifest;
struct repo_domain;

/*
 * Where the image is, once finished, and while it is being written. The
 * caller frees it; NULL: out of memory.
 */
char *image_path(const struct repo_domain *domain, const char *target,
		 const char *point);
char *image_partial_path(const struct repo_domain *domain, const char *target,
			 const char *point);
/* The same of what says which blocks it was given, see sums.h. */
char *sums_path(const struct repo_domain *domain, const char *target,
		const char *point);
char *sums_partial_path(const struct repo_domain *domain, const char *target,
			const char *point);

/* That the directory for images of @target, if there is one, is no symbolic
 * link. -EBADMSG: it is; it may lead out of the repository. */
int image_check_directory(const struct repo_domain *domain, const char *target,
			  struct err *err);

/* The directory for images of @target; it may be there. */
int image_make_directory(const struct repo_domain *domain, const char *target,
			 struct err *err);

/*
 * How many images of @target are over the one of @point, by their own headers:
 * manifests may be missing or wrong. @ret_over is the point of the last one
 * found, "" if there is none. -EBADMSG: of one of them it cannot be known.
 */
int image_find_over(const struct repo_domain *domain, const char *target,
		    const char *point, unsigned int *ret_count,
		    char ret_over[POINT_SIZE], struct err *err);

/* fsync of that directory. */
int image_sync_directory(const struct repo_domain *domain, const char *target,
			 struct err *err);

/*
 * Makes the image of @size_bytes, empty or, if @backing is a point and not
 * "" or NULL, reading through to that point's image; what lies behind the end
 * of a shorter one reads as zeroes. Open it as format qcow2, explicitly.
 * @ret_path is what to write to; the caller frees it.
 */
int image_create_partial(const struct repo_domain *domain, const char *target,
			 const char *point, uint64_t size_bytes,
			 const char *backing, char **ret_path, struct err *err);

/* Makes @path, or replaces it, of @size_bytes, reading through to the image
 * @over: for what somebody writes who is not a backup. */
int image_make_overlay(const char *path, const char *over, uint64_t size_bytes,
		       struct err *err);

/* Frees the clusters of @path that nothing refers to: a qemu-nbd that was
 * killed leaves some, and no other harm. */
int image_mend(const char *path, struct err *err);

/* Of the image @path, which its writer flushed and closed: digs holes, makes it
 * read-only, fsync. */
int image_make_durable(const char *path, struct err *err);

/*
 * How to open the image @path without those under it, for struct ship_image.
 * The caller frees it; NULL: out of memory.
 */
char *image_alone(const char *path);

/*
 * After its writer flushed and closed it, and its sums are durable
 * (sums_writer_finish()): makes it durable, renames both, fsync of the
 * directory.
 */
int image_finish(const struct repo_domain *domain, const char *target,
		 const char *point, struct err *err);

/*
 * That every image that the disk @target of @point is read through is there,
 * is what its manifest says (size, backing file), and names no file outside
 * its directory. -EBADMSG if not, with the file's name.
 */
int image_check_chain(const struct repo_domain *domain,
		      const struct catalog *catalog,
		      const struct manifest *point, const char *target,
		      struct err *err);
