/* SPDX-License-Identifier: GPL-2.0-only */
/* Who tracks which mapped device: what outlives a table. */
#ifndef DM_DSYNC_REGISTRY_H
#define DM_DSYNC_REGISTRY_H

#include <linux/types.h>

struct block_device;
struct dm_target;
struct dsync_super;
struct mapped_device;
struct dsync;
struct dsync_epochs;

int dsync_registry_join(struct dsync *ds, struct dm_target *ti);
void dsync_registry_leave(struct dsync *ds, bool gone);

bool dsync_registry_geometry(struct mapped_device *md,
			     struct block_device *bdev,
			     struct dsync_super *super);
void dsync_registry_take_over(struct dsync *ds);
void dsync_registry_show(struct dsync *ds);
void dsync_registry_event(struct dsync_epochs *ep);

#endif
