/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The image of one disk at one point: REPO/DOMAIN/disks/<target>/<point>.qcow2,
 * standalone or an overlay on an earlier point's image in the same directory,
 * named by a relative path so that a repository can be moved.
 *
 *	image_create_partial()   <point>.qcow2.partial, being written
 *	image_finish()           <point>.qcow2, durable and read-only
 *	manifest_commit()        the point exists
 *
 * Any step may be the last one of a run; image_discard_leftovers() removes in
 * the next what no manifest speaks of.
 *
 * Clusters of 128 KiB with extended L2 entries have subclusters of exactly
 * 4 KiB: one changed block costs one block, not a cluster.
 */
#pragma once

#include <stdint.h>

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

/*
 * Makes the image of @size_bytes, empty or, if @backing is a point and not
 * "" or NULL, reading through to that point's image; what lies behind the end
 * of a shorter one reads as zeroes. Open it as format qcow2, explicitly.
 * @ret_path is what to write to; the caller frees it.
 */
int image_create_partial(const struct repo_domain *domain, const char *target,
			 const char *point, uint64_t size_bytes,
			 const char *backing, char **ret_path, struct err *err);

/*
 * After its writer flushed and closed it: digs holes, fsync, read-only,
 * rename, fsync of the directory.
 */
int image_finish(const struct repo_domain *domain, const char *target,
		 const char *point, struct err *err);

/*
 * Removes what a run that failed or was killed left behind: partial images,
 * images without a manifest that no other one is read through, temporary
 * manifests. If a manifest is damaged, images stay. The domain is locked.
 */
int image_discard_leftovers(const struct repo_domain *domain,
			    const struct catalog *catalog,
			    unsigned int *ret_removed, struct err *err);

/*
 * That every image that the disk @target of @point is read through is there,
 * is what its manifest says (size, backing file), and names no file outside
 * its directory. -EBADMSG if not, with the file's name.
 */
int image_check_chain(const struct repo_domain *domain,
		      const struct catalog *catalog,
		      const struct manifest *point, const char *target,
		      struct err *err);
