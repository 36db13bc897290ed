/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Creating goes in three steps (create, load, resume) rather than in the one
 * that libdevmapper offers, because that one does not tell which errno the
 * kernel gave; and a target's constructor says no for many reasons.
 */
#include "dm/device.h"

#include <stdio.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <time.h>

#include "base/err.h"
#include "dm/task.h"

#define REMOVE_TRIES 10
#define REMOVE_PAUSE_MS 100

static int no_device(const char *name, struct err *err)
{
	return fail(err, -ENXIO, "%s: there is no such device", name);
}

int device_info(const char *name, struct device_info *ret_info, struct err *err)
{
	_cleanup_task_ struct dm_task *task =
		task_new(DM_DEVICE_INFO, name, err);
	struct dm_info info;
	const char *uuid;
	int r;

	*ret_info = (struct device_info){0};
	if (!task)
		return -ENOMEM;
	r = task_run(task, "look at", name, err);
	if (r < 0)
		return r;
	if (!dm_task_get_info(task, &info))
		return fail(err, -EIO, "look at %s: no answer", name);
	uuid = dm_task_get_uuid(task);
	ret_info->exists = info.exists;
	ret_info->suspended = info.suspended;
	ret_info->read_only = info.read_only;
	ret_info->open_count = info.open_count;
	ret_info->dev = makedev(info.major, info.minor);
	snprintf(ret_info->uuid, sizeof(ret_info->uuid), "%s",
		 uuid ? uuid : "");
	return 0;
}

static int read_line(int type, const char *name, struct device_line *ret_line,
		     struct err *err)
{
	_cleanup_task_ struct dm_task *task = task_new(type, name, err);
	char *target = NULL, *params = NULL;
	struct dm_info info;
	int r;

	if (!task || !dm_task_no_flush(task))
		return fail(err, -ENOMEM, "%s: out of memory", name);
	r = task_run(task, "look at", name, err);
	if (r < 0)
		return r;
	if (!dm_task_get_info(task, &info) || !info.exists)
		return no_device(name, err);
	dm_get_next_target(task, NULL, &ret_line->start_sectors,
			   &ret_line->length_sectors, &target, &params);
	snprintf(ret_line->type, sizeof(ret_line->type), "%s",
		 target ? target : "");
	snprintf(ret_line->params, sizeof(ret_line->params), "%s",
		 params ? params : "");
	return 0;
}

int device_table(const char *name, struct device_line *ret_line,
		 struct err *err)
{
	return read_line(DM_DEVICE_TABLE, name, ret_line, err);
}

int device_status(const char *name, struct device_line *ret_line,
		  struct err *err)
{
	return read_line(DM_DEVICE_STATUS, name, ret_line, err);
}

/* Runs @task, then waits until udev has dealt with it and the node is right. */
static int run_with_udev(struct dm_task *task, const char *verb,
			 const char *name, struct err *err)
{
	uint32_t cookie = 0;
	int r = 0;

	if (!dm_task_set_cookie(task, &cookie, TASK_UDEV_FLAGS))
		return fail(err, -EIO, "%s %s: no udev cookie", verb, name);
	r = task_run(task, verb, name, err);
	dm_udev_wait(cookie);
	return r;
}

static int create_empty(const char *name, const char *uuid, struct err *err)
{
	_cleanup_task_ struct dm_task *task =
		task_new(DM_DEVICE_CREATE, name, err);

	if (!task || !dm_task_set_uuid(task, uuid))
		return fail(err, -ENOMEM, "create %s: out of memory", name);
	return task_run(task, "create", name, err);
}

int device_load(const char *name, const struct device_line *table,
		struct err *err)
{
	_cleanup_task_ struct dm_task *task =
		task_new(DM_DEVICE_RELOAD, name, err);
	int r;

	if (!task ||
	    !dm_task_add_target(task, table->start_sectors,
				table->length_sectors, table->type,
				table->params) ||
	    (table->read_only && !dm_task_set_ro(task)))
		return fail(err, -ENOMEM, "load %s: out of memory", name);
	r = task_run(task, "load the table of", name, err);
	if (r < 0)
		err_prefix(err, "'%s %s' (the kernel log may say more)",
			   table->type, table->params);
	return r;
}

static int start(const char *name, struct err *err)
{
	_cleanup_task_ struct dm_task *task =
		task_new(DM_DEVICE_RESUME, name, err);

	if (!task)
		return -ENOMEM;
	return run_with_udev(task, "resume", name, err);
}

int device_create(const char *name, const char *uuid,
		  const struct device_line *table, struct err *err)
{
	int r = create_empty(name, uuid, NULL);

	if (r == -EBUSY)
		return fail(err, -EEXIST, "%s: name or uuid is taken", name);
	if (r < 0)
		return fail_errno(err, r, "create %s", name);
	r = device_load(name, table, err);
	if (r == 0)
		r = start(name, err);
	if (r < 0)
		(void)device_remove(name, NULL);
	return r;
}

static int remove_once(const char *name, struct err *err)
{
	_cleanup_task_ struct dm_task *task =
		task_new(DM_DEVICE_REMOVE, name, err);

	if (!task)
		return -ENOMEM;
	return run_with_udev(task, "remove", name, err);
}

int device_remove(const char *name, struct err *err)
{
	const struct timespec pause = {.tv_nsec = REMOVE_PAUSE_MS * 1000000L};
	int r = 0;

	for (int i = 0; i < REMOVE_TRIES; i++) {
		struct err ignored = {0};

		r = remove_once(name, &ignored);
		if (r == 0)
			return 0;
		if (r != -EBUSY)
			break;
		nanosleep(&pause, NULL);
	}
	if (r == -EBUSY)
		return fail(err, r, "%s: in use, so it stays", name);
	if (r == -ENXIO)
		return no_device(name, err);
	return fail_errno(err, r, "remove %s", name);
}

int device_resume(const char *name, struct err *err)
{
	_cleanup_task_ struct dm_task *task =
		task_new(DM_DEVICE_RESUME, name, err);
	int r;

	if (!task || task_flag_udev(task) < 0)
		return fail(err, -ENOMEM, "resume %s: out of memory", name);
	r = task_run(task, "resume", name, err);
	dm_task_update_nodes();
	return r;
}

int device_message(const char *name, const char *message, struct err *err)
{
	_cleanup_task_ struct dm_task *task =
		task_new(DM_DEVICE_TARGET_MSG, name, err);
	char verb[64];

	if (!task || !dm_task_set_message(task, message))
		return fail(err, -ENOMEM, "%s: out of memory", name);
	snprintf(verb, sizeof(verb), "%.*s on", (int)strcspn(message, " "),
		 message);
	return task_run(task, verb, name, err);
}

bool device_target_exists(const char *type)
{
	_cleanup_task_ struct dm_task *task =
		task_new(DM_DEVICE_GET_TARGET_VERSION, type, NULL);

	return task && task_run(task, "look for", type, NULL) == 0;
}
