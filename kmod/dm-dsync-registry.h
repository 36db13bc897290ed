/* SPDX-License-Identifier: GPL-2.0-only */
/* Who tracks which mapped device: what outlives a table. */
#ifndef DM_DSYNC_REGISTRY_H
#define DM_DSYNC_REGISTRY_H

#include <linux/types.h>

#include "dm-dsync-epoch.h"

struct block_device;
struct dm_target;
struct dsync_super;
struct mapped_device;
struct dsync;
struct dsync_hold;

int dsync_registry_join(struct dsync *ds, struct dm_target *ti);
void dsync_registry_leave(struct dsync *ds, bool gone);

bool dsync_registry_geometry(struct mapped_device *md,
			     struct block_device *bdev,
			     struct dsync_super *super);
void dsync_registry_take_over(struct dsync *ds);
void dsync_registry_show(struct dsync *ds);
void dsync_registry_event(struct dsync_epochs *ep);

/**
 * struct dsync_origin - what a hold is for
 * @dev: the tracked device
 * @geo: how it is cut
 * @data: what it has its blocks on
 */
struct dsync_origin {
	dev_t dev;
	struct dsync_geometry geo;
	dev_t data;
};

char *dsync_registry_find(struct dsync_origin *origin);
char *dsync_registry_attach(struct dsync_hold *hold,
			    const struct dsync_origin *origin);
void dsync_registry_detach(struct dsync_hold *hold);
void dsync_registry_forget(struct dsync_hold *hold);

#endif
