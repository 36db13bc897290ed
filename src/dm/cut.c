/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One consistent cut needs an instant at which every disk stands.  Suspended
 * at their own epoch_begin is not enough: if somebody (a watchdog, a person)
 * resumed the first disk before the last one began, writes got in between.  So
 * after the last epoch_begin all disks are looked at once more: still
 * suspended, and by the very suspend that we did, which the tracker counts.
 */
#include "dm/cut.h"

#include <malloc.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

#include "base/err.h"
#include "base/name.h"
#include "dm/device.h"
#include "dm/task.h"
#include "dm/tracker.h"

#define RESUME_TRIES 50
#define RESUME_PAUSE_MS 20
#define RESERVE_CHUNKS 16
#define RESERVE_CHUNK_BYTES (64 * 1024)
#define RESERVE_STACK_BYTES (64 * 1024)

struct cut_disk {
	char name[DISK_NAME_SIZE];
	struct dm_task *suspend, *begin, *check, *resume, *abort;
	uint64_t suspends; /* counter before our suspend */
	bool suspended, begun;
};

struct cut {
	uint64_t suspend_us;
	size_t nr_disks;
	struct cut_disk disks[];
};

static struct dm_task *message_task(const char *name, const char *verb,
				    const char *epoch, struct err *err)
{
	_cleanup_task_ struct dm_task *task =
		task_new(DM_DEVICE_TARGET_MSG, name, err);
	char message[32 + UUID_SIZE];

	snprintf(message, sizeof(message), "%s %s", verb, epoch);
	if (!task || !dm_task_set_message(task, message))
		return NULL;
	return TAKE_PTR(task);
}

static int prepare_disk(struct cut_disk *disk, const char *name,
			const char *epoch, struct err *err)
{
	snprintf(disk->name, sizeof(disk->name), "%s", name);
	disk->suspend = task_new(DM_DEVICE_SUSPEND, name, err);
	disk->begin = message_task(name, "epoch_begin", epoch, err);
	disk->check = task_new(DM_DEVICE_STATUS, name, err);
	disk->resume = task_new(DM_DEVICE_RESUME, name, err);
	disk->abort = message_task(name, "epoch_abort", epoch, err);
	if (!disk->suspend || !disk->begin || !disk->check || !disk->resume ||
	    !disk->abort || !dm_task_skip_lockfs(disk->suspend) ||
	    !dm_task_no_flush(disk->check) || task_flag_udev(disk->resume) < 0)
		return fail(err, -ENOMEM, "cut of %s: out of memory", name);
	return 0;
}

int cut_prepare(const struct stack_disk disks[], size_t nr_disks,
		const char *epoch, struct cut **ret_cut, struct err *err)
{
	_cleanup_cut_ struct cut *cut =
		calloc(1, sizeof(*cut) + nr_disks * sizeof(cut->disks[0]));

	if (!cut)
		return fail(err, -ENOMEM, "cut: out of memory");
	cut->nr_disks = nr_disks;
	for (size_t i = 0; i < nr_disks; i++) {
		int r = prepare_disk(&cut->disks[i], disks[i].name, epoch, err);

		if (r < 0)
			return r;
	}
	*ret_cut = TAKE_PTR(cut);
	return 0;
}

static void destroy(struct dm_task *task)
{
	if (task)
		dm_task_destroy(task);
}

void cut_free(struct cut *cut)
{
	if (!cut)
		return;
	for (size_t i = 0; i < cut->nr_disks; i++) {
		destroy(cut->disks[i].suspend);
		destroy(cut->disks[i].begin);
		destroy(cut->disks[i].check);
		destroy(cut->disks[i].resume);
		destroy(cut->disks[i].abort);
	}
	free(cut);
}

bool cut_is_resumed(const struct cut *cut)
{
	for (size_t i = 0; i < cut->nr_disks; i++)
		if (cut->disks[i].suspended)
			return false;
	return true;
}

uint64_t cut_suspend_us(const struct cut *cut)
{
	return cut->suspend_us;
}

/*
 * Leaves a megabyte of heap free and in RAM, in chunks that malloc neither
 * maps on its own nor gives back, and the stack that the cut will need.
 */
static void reserve_memory(void)
{
	volatile char stack[RESERVE_STACK_BYTES];
	void *chunks[RESERVE_CHUNKS];

	mallopt(M_TRIM_THRESHOLD, 2 * RESERVE_CHUNKS * RESERVE_CHUNK_BYTES);
	for (int i = 0; i < RESERVE_CHUNKS; i++) {
		chunks[i] = malloc(RESERVE_CHUNK_BYTES);
		if (chunks[i])
			memset(chunks[i], 0xff, RESERVE_CHUNK_BYTES);
	}
	for (int i = 0; i < RESERVE_CHUNKS; i++)
		free(chunks[i]);
	for (size_t i = 0; i < sizeof(stack); i += 4096)
		stack[i] = 0;
}

static int lock_memory(struct err *err)
{
	if (mlockall(MCL_CURRENT | MCL_FUTURE) < 0)
		return fail_errno(err, -errno,
				  "cannot lock memory for the cut");
	reserve_memory();
	return 0;
}

static int suspend_all(struct cut *cut, struct err *err)
{
	for (size_t i = 0; i < cut->nr_disks; i++) {
		struct cut_disk *disk = &cut->disks[i];
		int r;

		/* Before: a suspend that fails may have been done. */
		disk->suspended = true;
		r = task_run(disk->suspend, "suspend", disk->name, err);
		if (r < 0)
			return r;
	}
	return 0;
}

static int begin_all(struct cut *cut, struct err *err)
{
	for (size_t i = 0; i < cut->nr_disks; i++) {
		struct cut_disk *disk = &cut->disks[i];
		int r = task_run(disk->begin, "epoch_begin on", disk->name,
				 err);

		/* After a timeout it may have begun: abort that too. */
		disk->begun = r == 0 || r == -ETIMEDOUT;
		if (r < 0)
			return r;
	}
	return 0;
}

static int check_all(struct cut *cut, struct err *err)
{
	for (size_t i = 0; i < cut->nr_disks; i++) {
		struct cut_disk *disk = &cut->disks[i];
		char *type = NULL, *params = NULL;
		struct tracker_status status;
		uint64_t start, length;
		struct dm_info info;
		int r = task_run(disk->check, "look at", disk->name, err);

		if (r < 0)
			return r;
		dm_get_next_target(disk->check, NULL, &start, &length, &type,
				   &params);
		r = tracker_status_parse(params ? params : "", &status, err);
		if (r < 0)
			return r;
		if (!dm_task_get_info(disk->check, &info) || !info.suspended ||
		    status.suspends != disk->suspends + 1)
			return fail(err, -ESTALE,
				    "%s was resumed by somebody else during "
				    "the cut",
				    disk->name);
	}
	return 0;
}

static int resume(struct cut_disk *disk, struct err *err)
{
	const struct timespec pause = {.tv_nsec = RESUME_PAUSE_MS * 1000000L};
	int r, tries = 0;

	while ((r = task_run(disk->resume, "resume", disk->name, err)) < 0 &&
	       ++tries < RESUME_TRIES) {
		err_clear(err);
		nanosleep(&pause, NULL);
	}
	disk->suspended = r < 0;
	return r;
}

/* Tries all of them, whatever happens. */
static int resume_all(struct cut *cut, struct err *err)
{
	int result = 0;

	for (size_t i = 0; i < cut->nr_disks; i++) {
		struct cut_disk *disk = &cut->disks[i];
		struct err failure = {0};

		if (!disk->suspended)
			continue;
		if (resume(disk, &failure) < 0)
			result = fail(err, failure.code, "%s", failure.text);
	}
	return result;
}

static void abort_all(struct cut *cut)
{
	for (size_t i = 0; i < cut->nr_disks; i++)
		if (cut->disks[i].begun)
			(void)task_run(cut->disks[i].abort, "epoch_abort on",
				       cut->disks[i].name, NULL);
}

static uint64_t now_us(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * UINT64_C(1000000) + now.tv_nsec / 1000;
}

static int read_counters(struct cut *cut, struct err *err)
{
	for (size_t i = 0; i < cut->nr_disks; i++) {
		struct tracker_status status;
		int r = tracker_status(cut->disks[i].name, &status, err);

		if (r == 0 && status.state == TRACKER_UNTRACKED)
			r = fail(err, -EOPNOTSUPP,
				 "%s is not tracked (module dm-dsync was "
				 "missing when its domain was started)",
				 cut->disks[i].name);
		if (r < 0)
			return r;
		cut->disks[i].suspends = status.suspends;
	}
	return 0;
}

int cut_run(struct cut *cut, struct err *err)
{
	struct err resume_err = {0};
	uint64_t begun_us;
	int r = read_counters(cut, err);

	if (r == 0)
		r = lock_memory(err);
	if (r < 0)
		return r;
	begun_us = now_us();
	r = suspend_all(cut, err);
	if (r == 0)
		r = begin_all(cut, err);
	if (r == 0)
		r = check_all(cut, err);
	if (resume_all(cut, &resume_err) < 0 && r == 0)
		r = fail(err, resume_err.code, "%s", resume_err.text);
	cut->suspend_us = now_us() - begun_us;
	munlockall();
	dm_task_update_nodes();
	if (r < 0)
		abort_all(cut);
	if (r < 0 && resume_err.code)
		err_prefix(err, "%s; before that", resume_err.text);
	return r;
}
