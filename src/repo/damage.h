/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Blocks of an image that read differently from what they were given, as
 * verify found: REPO/DOMAIN/disks/<target>/<point>.damaged.
 *
 * The next backup sends those that no newer image hides, whatever their sums
 * say, so that the newest point is whole again.  Older ones stay as they are.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct err;
struct repo_domain;

struct damage_range {
	uint64_t first, count; /* blocks of SUM_BLOCK_BYTES */
};

/* Ascending, apart from one another. All zero: none. */
struct damage {
	struct damage_range *ranges;
	size_t nr_ranges;
};

/*
 * What is known of the image of @target at @point. No file: no damage; one
 * that cannot be understood: all of it. Freed by damage_clear().
 */
int damage_load(const struct repo_domain *domain, const char *target,
		const char *point, struct damage *ret_damage, struct err *err);

/* Replaces the file; none is left if there is no damage. */
int damage_store(const struct repo_domain *domain, const char *target,
		 const char *point, const struct damage *damage,
		 struct err *err);

/* Adds to the damage of @point what is known of @from. */
int damage_inherit(const struct repo_domain *domain, const char *target,
		   const char *point, const char *from, struct err *err);

/* Where it is kept. The caller frees it; NULL: out of memory. */
char *damage_path(const struct repo_domain *domain, const char *target,
		  const char *point);

bool damage_has(const struct damage *damage, uint64_t block);

/* Adds blocks, or removes one. -ENOMEM. */
int damage_add(struct damage *damage, uint64_t first, uint64_t count);
int damage_remove(struct damage *damage, uint64_t block);

void damage_clear(struct damage *damage);
#include "base/cleanup.h"
#define _cleanup_damage_ _cleanup_(damage_clear)
