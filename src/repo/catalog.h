/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * All points of a domain in the order they were made, which is that of their
 * `parent` and never that of their names: clocks are set back.
 *
 * A manifest that cannot be read, a parent that is not there, two points with
 * one parent: these are listed as problems, and the rest works on.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <time.h>

#include "base/cleanup.h"
#include "repo/point.h"

struct err;
struct manifest;
struct repo_domain;

struct catalog {
	/* Oldest first. Without domain XML and NVRAM: see manifest_read(). */
	struct manifest **points;
	size_t nr_points;
	struct manifest **hidden; /* on their way out, see removal.h */
	size_t nr_hidden;
	char **problems; /* one line each */
	size_t nr_problems;
	size_t nr_damaged; /* manifests that are there but cannot be read */
	bool is_broken;    /* the points are not one chain */
};

/* To be freed by catalog_free(). A domain without points is no error. */
int catalog_load(const struct repo_domain *domain, struct catalog **ret_catalog,
		 struct err *err);
void catalog_free(struct catalog *catalog);
DEFINE_CLEANUP(struct catalog *, catalog_free);
#define _cleanup_catalog_ _cleanup_(cleanup_catalog_free)

/* The point with no child, the next one's parent. NULL: no points yet. */
const struct manifest *catalog_newest(const struct catalog *catalog);

/*
 * The point called @name, "latest", or the one that begins with @name.
 * -ENOENT: none. -EINVAL: more than one begins so. Stays with @catalog.
 */
int catalog_find(const struct catalog *catalog, const char *name,
		 const struct manifest **ret_point, struct err *err);

/*
 * The newest point that has the disk @target: what its next image overlays.
 * NULL: none has.
 */
const struct manifest *catalog_newest_with_disk(const struct catalog *catalog,
						const char *target);

/* The point on its way out that is called @point, or NULL. */
const struct manifest *catalog_hidden(const struct catalog *catalog,
				      const char *point);

/*
 * The point whose image is under the one of the disk @target at @point, hidden
 * or not; NULL in @ret_under: none is. -EBADMSG: it is missing.
 */
int catalog_under(const struct catalog *catalog, const struct manifest *point,
		  const char *target, const struct manifest **ret_under,
		  struct err *err);

/*
 * How many images the disk @target of @point is read through, 1 for a
 * standalone one. -EBADMSG: a point in the chain is missing.
 */
int catalog_chain_depth(const struct catalog *catalog,
			const struct manifest *point, const char *target,
			size_t *ret_depth, struct err *err);

/* A name for a point made at @now that is not taken. If it comes from the same
 * second as @after ("": none), its number is higher. */
int catalog_new_point(const struct catalog *catalog, time_t now,
		      const char *after, char ret_point[POINT_SIZE],
		      struct err *err);
