/* SPDX-License-Identifier: GPL-2.0-only */
/* The list of tracked devices, for dm-dsync-registry.c and -origin.c only. */
#ifndef DM_DSYNC_DEVICE_H
#define DM_DSYNC_DEVICE_H

#include <linux/device-mapper.h>
#include <linux/list.h>
#include <linux/mutex.h>

#include "dm-dsync-epoch.h"

struct dsync_proc;

/**
 * struct dsync_device - what the tables of one mapped device share
 * @node: in the list of all
 * @md: whose it is
 * @instances: the targets that joined
 * @owner: the one that is live, or NULL
 * @proc: its files, or NULL before the first resume
 * @epochs: what is tracked
 */
struct dsync_device {
	struct list_head node;
	struct mapped_device *md;
	struct list_head instances;
	struct dsync *owner;
	struct dsync_proc *proc;
	struct dsync_epochs epochs;
};

extern struct mutex dsync_registry_lock;
extern struct list_head dsync_registry;

/* dm-dsync-origin.c */
bool dsync_registry_is_store(dev_t dev);
void dsync_registry_orphan(struct dsync_device *dev);

#endif
