/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What runs that did not come to their end left in a repository. */
#pragma once

struct catalog;
struct err;
struct repo_domain;

/*
 * Removes what a run that failed or was killed left behind: partial images
 * that are of no use (partial.h), images without a manifest that no other one
 * is read through, temporary manifests. An image that only lacks its manifest
 * becomes a partial one again, for the next run to go on with. If a manifest
 * is damaged, images stay. The domain is locked.
 */
int leftovers_discard(const struct repo_domain *domain,
		      const struct catalog *catalog, unsigned int *ret_removed,
		      struct err *err);
