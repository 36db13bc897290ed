/* SPDX-License-Identifier: GPL-2.0-only */
/* Who tracks which mapped device: what outlives a table. */
#ifndef DM_DSYNC_REGISTRY_H
#define DM_DSYNC_REGISTRY_H

struct dm_target;
struct dsync;
struct dsync_epochs;

int dsync_registry_join(struct dsync *ds, struct dm_target *ti);
void dsync_registry_leave(struct dsync *ds, bool gone);

void dsync_registry_take_over(struct dsync *ds);
void dsync_registry_show(struct dsync *ds);
void dsync_registry_event(struct dsync_epochs *ep);

#endif
