// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Begins an epoch as a backup does, and prints for how many microseconds the
 * device was suspended.
 *
 *	cut NAME [EPOCH]
 *
 * It is the backup's own code: what it saves by preparing all beforehand is
 * most of what dmsetup would take. Without an epoch, suspends and resumes only.
 */
#include <stdio.h>
#include <time.h>

#include "base/err.h"
#include "dm/cut.h"
#include "dm/stack.h"
#include "dm/task.h"

static int begin_epoch(const char *name, const char *epoch, uint64_t *ret_us,
		       struct err *err)
{
	_cleanup_cut_ struct cut *cut = NULL;
	struct stack_disk disk = {0};
	int r;

	snprintf(disk.name, sizeof(disk.name), "%s", name);
	r = cut_prepare(&disk, 1, epoch, &cut, err);
	if (r == 0)
		r = cut_run(cut, err);
	if (r == 0)
		*ret_us = cut_suspend_us(cut);
	return r;
}

static uint64_t now_us(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * UINT64_C(1000000) + now.tv_nsec / 1000;
}

static int suspend_only(const char *name, uint64_t *ret_us, struct err *err)
{
	_cleanup_task_ struct dm_task *suspend =
		task_new(DM_DEVICE_SUSPEND, name, err);
	_cleanup_task_ struct dm_task *resume =
		task_new(DM_DEVICE_RESUME, name, err);
	uint64_t begun_us = now_us();
	int r;

	if (!suspend || !resume || !dm_task_skip_lockfs(suspend))
		return fail(err, -ENOMEM, "out of memory");
	r = task_run(suspend, "suspend", name, err);
	if (r == 0)
		r = task_run(resume, "resume", name, err);
	*ret_us = now_us() - begun_us;
	return r;
}

int main(int argc, char *argv[])
{
	struct err err = {0};
	uint64_t us = 0;
	int r;

	if (argc < 2 || argc > 3) {
		fprintf(stderr, "usage: cut NAME [EPOCH]\n");
		return 2;
	}
	r = argc == 3 ? begin_epoch(argv[1], argv[2], &us, &err)
		      : suspend_only(argv[1], &us, &err);
	if (r < 0) {
		fprintf(stderr, "cut: %s\n", err.text);
		return 1;
	}
	printf("%llu\n", (unsigned long long)us);
	return 0;
}
