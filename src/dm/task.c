/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * libdevmapper reports through a log callback that takes no user data, so the
 * last line it logged waits in a variable of this file (of this thread) until
 * task_run() has put it into the caller's struct err.  The udev cookie is its
 * other global: synchronisation is switched off for a moment where flags are
 * wanted but no waiting.
 */
#include "dm/task.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

#include "base/err.h"

#define LEVEL_MASK 7 /* above it are flags */
#define LEVEL_ERROR 3

static _Thread_local char last_line[256];

__attribute__((format(printf, 5, 6))) static void
keep_line(int level, const char *file, int line, int dm_errno,
	  const char *format, ...)
{
	va_list ap;

	if ((level & LEVEL_MASK) > LEVEL_ERROR || last_line[0])
		return;
	va_start(ap, format);
	vsnprintf(last_line, sizeof(last_line), format, ap);
	va_end(ap);
}

struct dm_task *task_new(int type, const char *name, struct err *err)
{
	_cleanup_task_ struct dm_task *task = NULL;

	dm_log_with_errno_init(keep_line);
	last_line[0] = '\0';
	task = dm_task_create(type);
	if (!task || (name && !dm_task_set_name(task, name))) {
		fail(err, -ENOMEM, "device-mapper: %s",
		     last_line[0] ? last_line : "out of memory");
		return NULL;
	}
	return TAKE_PTR(task);
}

int task_run(struct dm_task *task, const char *verb, const char *name,
	     struct err *err)
{
	int code;

	last_line[0] = '\0';
	if (dm_task_run(task))
		return 0;
	code = dm_task_get_errno(task) ? -dm_task_get_errno(task) : -EIO;
	if (last_line[0] && code == -EIO)
		return fail(err, code, "%s %s: %s", verb, name, last_line);
	return fail_errno(err, code, "%s %s", verb, name);
}

int task_flag_udev(struct dm_task *task)
{
	int sync = dm_udev_get_sync_support();
	uint32_t cookie = 0;
	int ok;

	dm_udev_set_sync_support(0);
	ok = dm_task_set_cookie(task, &cookie, TASK_UDEV_FLAGS);
	dm_udev_set_sync_support(sync);
	return ok ? 0 : -ENOMEM;
}
