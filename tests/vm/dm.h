/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Device mapper without dmsetup: under emulation, to start a program takes
 * longer than all that it does here.
 */
#ifndef DM_H
#define DM_H

#include <errno.h>
#include <fcntl.h>
#include <linux/dm-ioctl.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>

struct dm_request {
	struct dm_ioctl dm;
	struct dm_target_spec target;
	char text[2048];
};

/* Does @command to device @name; @rq has what else it needs, and its result. */
static int dm_do(unsigned long command, const char *name, struct dm_request *rq)
{
	static int control = -1;

	if (control < 0)
		control = open("/dev/mapper/control", O_RDWR | O_CLOEXEC);
	if (control < 0)
		return -errno;
	rq->dm.version[0] = 4;
	rq->dm.data_size = sizeof(*rq);
	rq->dm.data_start = offsetof(struct dm_request, target);
	snprintf(rq->dm.name, sizeof(rq->dm.name), "%s", name);
	return ioctl(control, command, rq) ? -errno : 0;
}

/* Makes a device of one target, from sector 0 on, and resumes it. */
static int dm_create(const char *name, uint64_t sectors, const char *type,
		     const char *table)
{
	struct dm_request rq = {0};
	int r = dm_do(DM_DEV_CREATE, name, &rq);

	if (r)
		return r;
	memset(&rq, 0, sizeof(rq));
	rq.dm.target_count = 1;
	rq.target.length = sectors;
	snprintf(rq.target.target_type, sizeof(rq.target.target_type), "%s",
		 type);
	snprintf(rq.text, sizeof(rq.text), "%s", table);
	r = dm_do(DM_TABLE_LOAD, name, &rq);
	if (r)
		return r;
	memset(&rq, 0, sizeof(rq));
	return dm_do(DM_DEV_SUSPEND, name, &rq);
}

static int dm_status(const char *name, struct dm_request *rq)
{
	memset(rq, 0, sizeof(*rq));
	return dm_do(DM_TABLE_STATUS, name, rq);
}

static int dm_remove(const char *name)
{
	struct dm_request rq = {0};

	return dm_do(DM_DEV_REMOVE, name, &rq);
}

#endif
