/* SPDX-License-Identifier: GPL-2.0-or-later */
/* For dm/ only: one libdevmapper task, and its failure as one line. */
#pragma once

#include <libdevmapper.h>

#include "base/cleanup.h"

struct err;

DEFINE_CLEANUP(struct dm_task *, dm_task_destroy);
#define _cleanup_task_ _cleanup_(cleanup_dm_task_destroy)

/*
 * What keeps the host's rules (blkid, LVM, md, /dev/disk) off a device whose
 * content is a guest's.
 */
#define TASK_UDEV_FLAGS                         \
	(DM_UDEV_DISABLE_SUBSYSTEM_RULES_FLAG | \
	 DM_UDEV_DISABLE_DISK_RULES_FLAG | DM_UDEV_DISABLE_OTHER_RULES_FLAG)

/* A task of @type on device @name (NULL: on none). NULL: out of memory. */
struct dm_task *task_new(int type, const char *name, struct err *err);

/*
 * Runs @task. @verb and @name are for the message: "resume dsync-web-vda: ...".
 * Returns the ioctl's negative errno. Allocates little and opens nothing once
 * any task has run before.
 */
int task_run(struct dm_task *task, const char *verb, const char *name,
	     struct err *err);

/* Gives @task the udev flags, without anybody waiting for udev. */
int task_flag_udev(struct dm_task *task);
