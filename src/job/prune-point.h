/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One point's removal, from wherever it stands; see repo/removal.h. */
#pragma once

#include <stdint.h>

struct catalog;
struct err;
struct manifest;
struct repo_domain;
struct ui;

/*
 * Before anything is done: that the point's images can be merged into those
 * over them. -EBUSY: somebody reads them. -EBADMSG: sums are missing.
 */
int prune_point_check(const struct repo_domain *domain,
		      const struct catalog *catalog,
		      const struct manifest *point, struct err *err);

/*
 * Finishes the removal of the hidden @point. @moved_bytes grows by what had to
 * be copied. After a failure it can be called again.
 */
int prune_point_finish(const struct repo_domain *domain,
		       const struct catalog *catalog,
		       const struct manifest *point, uint64_t *moved_bytes,
		       struct ui *ui, struct err *err);
