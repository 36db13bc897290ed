/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Building looks first:
 *
 *	name free ───────────────────────────────► create
 *	ours, on this path ──────────────────────► adopt (resume if suspended)
 *	ours, linear, unused, module there now ──► remove, create
 *	ours, on another path, unused ───────────► remove, create
 *	ours, on another path, in use ───────────► -EBUSY
 *	somebody else's ─────────────────────────► -EEXIST
 *
 * "In use" is the open count.  A stack that a VM is about to open has none
 * yet, so whoever removes must first know (dm/use.h) that no VM is starting.
 */
#include "dm/stack.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "base/err.h"
#include "base/io.h"
#include "dm/device.h"
#include "dm/hold.h"
#include "dm/loop.h"
#include "dm/meta-file.h"
#include "dm/task.h"
#include "dm/tracker.h"
#include "dm/trust.h"

#define SECTOR_BYTES 512

static enum stack_state state_of(const struct stack_disk *disk,
				 const struct device_info *info,
				 const struct device_line *table)
{
	if (!info->exists)
		return STACK_ABSENT;
	if (strcmp(info->uuid, disk->uuid) != 0)
		return STACK_FOREIGN;
	if (strcmp(table->type, "dsync") == 0)
		return STACK_TRACKED;
	if (strcmp(table->type, "linear") == 0)
		return STACK_LINEAR;
	/* Ours by its uuid, but never made to work: as good as foreign. */
	return table->type[0] ? STACK_FOREIGN : STACK_LINEAR;
}

static int look(const struct stack_disk *disk, enum stack_state *ret_state,
		struct device_info *ret_info, struct device_line *ret_table,
		struct err *err)
{
	int r = device_info(disk->name, ret_info, err);

	*ret_table = (struct device_line){0};
	if (r == 0 && ret_info->exists)
		r = device_table(disk->name, ret_table, err);
	if (r == 0)
		*ret_state = state_of(disk, ret_info, ret_table);
	return r;
}

int stack_state(const struct stack_disk *disk, enum stack_state *ret_state,
		struct err *err)
{
	struct device_info info;
	struct device_line table;

	return look(disk, ret_state, &info, &table, err);
}

/* The first word of a table of ours is the data device, as MAJOR:MINOR. */
static bool is_built_on(const struct device_line *table, const char *path)
{
	unsigned int major_nr, minor_nr;
	struct stat st;
	dev_t dev;

	if (sscanf(table->params, "%u:%u", &major_nr, &minor_nr) != 2 ||
	    stat(path, &st) < 0)
		return false;
	dev = makedev(major_nr, minor_nr);
	if (S_ISBLK(st.st_mode))
		return st.st_rdev == dev;
	return loop_is_on(dev, path);
}

/* Opens what the disk is to be built on: a device, or a loop device on it. */
static int open_data(const char *path, struct loop *ret_data, struct err *err)
{
	_cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0)
		return fail_errno(err, -errno, "%s", path);
	if (S_ISREG(st.st_mode))
		return loop_open(path, ret_data, err);
	if (!S_ISBLK(st.st_mode))
		return fail(err, -ENOTBLK,
			    "%s: neither a block device nor a raw file", path);
	*ret_data = (struct loop){.fd = TAKE_FD(fd), .dev = st.st_rdev};
	return 0;
}

/* -------------------------------------------------------------- building */

static int make_table(const struct loop *data, const char *path,
		      struct device_line *ret_table, struct err *err)
{
	uint64_t size_bytes;
	int r = io_size_bytes(data->fd, &size_bytes);

	if (r < 0)
		return fail_errno(err, r, "%s: its size", path);
	if (size_bytes < SECTOR_BYTES)
		return fail(err, -ENODATA, "%s: it is empty", path);
	*ret_table = (struct device_line){
		.length_sectors = size_bytes / SECTOR_BYTES,
	};
	return 0;
}

static int create_linear(const struct stack_disk *disk, const struct loop *data,
			 struct device_line *table, struct err *err)
{
	snprintf(table->type, sizeof(table->type), "linear");
	snprintf(table->params, sizeof(table->params), "%u:%u 0",
		 major(data->dev), minor(data->dev));
	return device_create(disk->name, disk->uuid, table, err);
}

/* @meta: NULL: in RAM only. */
static int create_dsync(const struct stack_disk *disk, const struct loop *data,
			const struct loop *meta, struct device_line *table,
			struct err *err)
{
	char meta_dev[32] = "-";

	if (meta)
		snprintf(meta_dev, sizeof(meta_dev), "%u:%u", major(meta->dev),
			 minor(meta->dev));
	snprintf(table->type, sizeof(table->type), "dsync");
	snprintf(table->params, sizeof(table->params), "%u:%u %s %u",
		 major(data->dev), minor(data->dev), meta_dev,
		 TRACKER_BLOCK_SECTORS);
	return device_create(disk->name, disk->uuid, table, err);
}

static int create_with_meta(const struct stack_disk *disk,
			    const char *state_dir, const struct loop *data,
			    struct device_line *table, bool *ret_trusted,
			    const char **ret_why, struct err *err)
{
	_cleanup_meta_place_ struct meta_place place = {0};
	_cleanup_loop_ struct loop meta = {.fd = -1};
	struct trust trust = {
		.state_dir = state_dir,
		.target = disk->target,
		.data = disk->path,
	};
	int r = meta_place_find(disk->domain_name, disk->domain_uuid,
				disk->target, &place, err);

	trust.meta = place.path;
	if (r == 0)
		r = trust_check(&trust, ret_trusted, ret_why, err);
	if (r == 0)
		r = meta_open(&place, table->length_sectors, *ret_trusted,
			      &meta, err);
	if (r == 0)
		r = trust_begin(&trust, err);
	return r < 0 ? r : create_dsync(disk, data, &meta, table, err);
}

/* From here on, writes may pass by the metadata: it must not be believed. */
static int create_without_meta(const struct stack_disk *disk,
			       const char *state_dir, const struct loop *data,
			       struct device_line *table, bool tracked,
			       struct err *err)
{
	int r = trust_forget(state_dir, disk->target, err);

	if (r < 0)
		return r;
	return tracked ? create_dsync(disk, data, NULL, table, err)
		       : create_linear(disk, data, table, err);
}

static int create(const struct stack_disk *disk,
		  struct stack_report *ret_report, struct err *err)
{
	_cleanup_free_ char *state_dir =
		io_format(PLACE_STATE "/%s", disk->domain_uuid);
	_cleanup_loop_ struct loop data = {.fd = -1};
	bool tracked = device_target_exists("dsync");
	struct err failure = {0};
	struct device_line table;
	const char *why = "";
	int r = open_data(disk->path, &data, err);

	if (r == 0 && !state_dir)
		r = fail(err, -ENOMEM, "out of memory");
	if (r == 0)
		r = make_table(&data, disk->path, &table, err);
	if (r < 0)
		return r;
	ret_report->state = tracked ? STACK_TRACKED : STACK_LINEAR;
	if (tracked &&
	    create_with_meta(disk, state_dir, &data, &table,
			     &ret_report->trusted, &why, &failure) == 0) {
		if (*why)
			snprintf(ret_report->note, sizeof(ret_report->note),
				 "tracking begins anew: %s", why);
		return 0;
	}
	ret_report->trusted = false;
	if (tracked)
		snprintf(ret_report->note, sizeof(ret_report->note),
			 "changes are kept in memory only, until it stops: %s",
			 failure.text);
	else
		snprintf(ret_report->note, sizeof(ret_report->note),
			 "runs untracked: module dm-dsync is missing");
	return create_without_meta(disk, state_dir, &data, &table, tracked,
				   err);
}

/* -------------------------------------------------------------- removing */

static bool is_with_meta(const char *name)
{
	struct device_line table;
	char meta_dev[16];

	return device_table(name, &table, NULL) == 0 &&
	       strcmp(table.type, "dsync") == 0 &&
	       sscanf(table.params, "%*s %15s", meta_dev) == 1 &&
	       strcmp(meta_dev, "-") != 0;
}

/* A disk whose metadata failed is ahead of it, whatever that says. */
static int take_down(const char *name, const char *uuid, struct err *err)
{
	_cleanup_free_ char *state_dir = disk_uuid_state_dir(uuid);
	struct tracker_status status = {.state = TRACKER_UNTRACKED};
	bool with_meta = is_with_meta(name);
	int r;

	if (!state_dir)
		return fail(err, -ENOMEM, "out of memory");
	if (with_meta)
		(void)tracker_status(name, &status, NULL);
	r = hold_remove(name, uuid, err);
	if (r == 0)
		r = device_remove(name, err);
	if (r < 0 || !with_meta)
		return r;
	if (status.state == TRACKER_DEGRADED)
		return trust_forget(state_dir, disk_uuid_target(uuid), err);
	return trust_end(state_dir, disk_uuid_target(uuid), err);
}

int stack_build(const struct stack_disk *disk, struct stack_report *ret_report,
		struct err *err)
{
	enum stack_state state;
	struct device_info info;
	struct device_line table;
	bool fits;
	int r = look(disk, &state, &info, &table, err);

	*ret_report = (struct stack_report){0};
	if (r < 0)
		return r;
	if (state == STACK_FOREIGN)
		return fail(err, -EEXIST,
			    "%s: another device has this name; rename or "
			    "remove it",
			    disk->name);
	if (state == STACK_ABSENT)
		return create(disk, ret_report, err);
	fits = is_built_on(&table, disk->path);
	if (!fits && info.open_count)
		return fail(err, -EBUSY, "%s: in use, but not on %s",
			    disk->name, disk->path);
	if (!fits || (state == STACK_LINEAR && !info.open_count &&
		      device_target_exists("dsync"))) {
		r = take_down(disk->name, disk->uuid, err);
		return r < 0 ? r : create(disk, ret_report, err);
	}
	ret_report->state = state;
	ret_report->trusted = state == STACK_TRACKED;
	return info.suspended ? device_resume(disk->name, err) : 0;
}

int stack_remove(const struct stack_disk *disk, struct err *err)
{
	enum stack_state state;
	int r = stack_state(disk, &state, err);

	if (r < 0)
		return r;
	if (state == STACK_ABSENT)
		return 0;
	if (state == STACK_FOREIGN)
		return fail(err, -EEXIST, "%s: not a device of ours",
			    disk->name);
	return take_down(disk->name, disk->uuid, err);
}

int stack_build_all(const struct stack_disk *disks, size_t nr_disks,
		    struct stack_report ret_reports[], struct err *err)
{
	enum stack_state before;
	size_t nr_built = 0;
	int r = 0;
	_cleanup_free_ bool *ours = calloc(nr_disks + 1, sizeof(*ours));

	if (!ours)
		return fail(err, -ENOMEM, "out of memory");
	for (; nr_built < nr_disks && r == 0; nr_built++) {
		const struct stack_disk *disk = &disks[nr_built];

		r = stack_state(disk, &before, err);
		if (r == 0)
			r = stack_build(disk, &ret_reports[nr_built], err);
		ours[nr_built] = r == 0 && before == STACK_ABSENT;
	}
	while (r < 0 && nr_built-- > 0)
		if (ours[nr_built])
			(void)stack_remove(&disks[nr_built], NULL);
	return r;
}

/* ---------------------------------------------------- all of one domain */

typedef int (*device_action)(const char *name, const char *uuid,
			     struct err *err);

static int distrust(const char *name, const char *uuid, struct err *err)
{
	_cleanup_free_ char *state_dir = disk_uuid_state_dir(uuid);

	return state_dir ? trust_forget(state_dir, disk_uuid_target(uuid), err)
			 : fail(err, -ENOMEM, "out of memory");
}

/* Acts on device @name if its uuid says that it is @domain_uuid's. */
static int act_if_of(const char *name, const char *domain_uuid,
		     device_action act, struct err *err)
{
	char prefix[sizeof("DSYNC-") + UUID_SIZE];
	struct device_info info;
	int r = device_info(name, &info, err);

	if (r < 0)
		return r;
	snprintf(prefix, sizeof(prefix), "DSYNC-%s-", domain_uuid);
	if (!info.exists || strncmp(info.uuid, prefix, strlen(prefix)) != 0)
		return 0;
	return act(name, info.uuid, err);
}

static int act_on_domain(const char *domain_uuid, device_action act,
			 struct err *err)
{
	_cleanup_task_ struct dm_task *task =
		task_new(DM_DEVICE_LIST, NULL, err);
	struct dm_names *names;
	int r, result = 0;

	if (!task)
		return -ENOMEM;
	r = task_run(task, "list", "devices", err);
	if (r < 0)
		return r;
	names = dm_task_get_names(task);
	if (!names || !names->dev)
		return 0;
	for (;;) {
		r = act_if_of(names->name, domain_uuid, act, err);
		if (r < 0 && result == 0)
			result = r;
		if (!names->next)
			return result;
		names = (struct dm_names *)((char *)names + names->next);
	}
}

int stack_remove_domain(const char *domain_uuid, struct err *err)
{
	return act_on_domain(domain_uuid, take_down, err);
}

int stack_distrust_domain(const char *domain_uuid, struct err *err)
{
	return act_on_domain(domain_uuid, distrust, err);
}
