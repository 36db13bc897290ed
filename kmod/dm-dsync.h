/* SPDX-License-Identifier: GPL-2.0-only */
/* One instance of the target: what a table line became. */
#ifndef DM_DSYNC_H
#define DM_DSYNC_H

#include <linux/device-mapper.h>
#include <linux/list.h>

#include "dm-dsync-epoch.h"
#include "dm-dsync-io.h"
#include "dm-dsync-table.h"

#define DM_MSG_PREFIX "dsync"

struct dsync_device;
struct dsync_meta;

/**
 * struct dsync - an instance of the target
 * @data: where the blocks are
 * @meta_dev: META_DEV, or NULL
 * @geo: how the blocks are cut
 * @options: from the table line
 * @device: what we share with other tables of the same mapped device
 * @epochs: of @device, for short
 * @fresh: sets to begin with, until the first preresume gives them away
 * @meta: with a META_DEV: what was made for this target or, once it is live,
 *	what keeps the epochs
 * @probe_disk: META_DEV as the constructor has looked at it
 * @live: the target has become the owner, so messages may come
 * @table: the table that we are in
 * @node: in the list of @device
 */
struct dsync {
	struct dm_dev *data;
	struct dm_dev *meta_dev;
	struct dsync_geometry geo;
	struct dsync_options options;
	struct dsync_device *device;
	struct dsync_epochs *epochs;
	struct dsync_sets *fresh;
	struct dsync_meta *meta;
	struct dsync_disk probe_disk;
	bool live;
	struct dm_table *table;
	struct list_head node;
};

/* dm-dsync-target.c */
int dsync_target_init(void);
void dsync_target_exit(void);

/* dm-dsync-message.c */
int dsync_message(struct dm_target *ti, unsigned int argc, char **argv,
		  char *result, unsigned int maxlen);

/* dm-dsync-status.c */
void dsync_status(struct dm_target *ti, status_type_t type, unsigned int flags,
		  char *result, unsigned int maxlen);

#endif
