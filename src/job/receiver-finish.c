/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Every target's pending set comes before the last cut, and what that froze
 * after it: so little is left to be told while the guest stands.
 */
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>

#include "base/bitmap.h"
#include "base/err.h"
#include "base/io.h"
#include "dm/cut.h"
#include "dm/handover.h"
#include "dm/image-lock.h"
#include "dm/tracker.h"
#include "job/receiver-parts.h"
#include "job/ui.h"
#include "repo/pending.h"
#include "ship/server.h"
#include "vm/record.h"

static int where(const struct receiver *receiver, size_t i,
		 struct pending_disk *ret_where, struct tracker_status *tracker,
		 struct err *err)
{
	const struct receiver_place *disk = &receiver->disks[i];
	int r = tracker_status(receiver->stacks[i].name, tracker, err);

	*ret_where = (struct pending_disk){
		.state_dir = receiver->state_dir,
		.domain_uuid = receiver->uuid,
		.disk = disk->target,
		.size_bytes = disk->size_bytes,
		.block_bytes = tracker->block_sectors * 512,
		.tracker = tracker->uuid,
	};
	return r;
}

int receiver_take_pending(struct receiver *receiver, size_t i,
			  const char *repo_id, const void *content,
			  size_t size_bytes, struct err *err)
{
	struct pending_disk disk;
	struct tracker_status tracker;
	int r = where(receiver, i, &disk, &tracker, err);

	return r < 0 ? r
		     : pending_adopt(&disk, repo_id, content, size_bytes, err);
}

void receiver_take_frozen(struct receiver *receiver, size_t i,
			  const char *before, struct bitmap *frozen)
{
	struct receiver_place *disk = &receiver->disks[i];

	bitmap_free(disk->frozen);
	disk->frozen = frozen;
	snprintf(disk->before, UUID_SIZE, "%s", before);
}

/* The epoch with which tracking begins; what was dirty before came along. */
static int begin_epoch(struct receiver *receiver, char epoch[UUID_SIZE],
		       struct err *err)
{
	_cleanup_cut_ struct cut *cut = NULL;
	int r = uuid_new(epoch, err);

	if (r == 0)
		r = cut_prepare(receiver->stacks, receiver->nr_disks, epoch,
				&cut, err);
	if (r == 0)
		r = cut_run(cut, err);
	for (size_t i = 0; i < receiver->nr_disks && r == 0; i++)
		r = tracker_epoch_end(receiver->stacks[i].name, epoch, err);
	return r;
}

static int settle(struct receiver *receiver, size_t i, const char *epoch,
		  struct err *err)
{
	const struct receiver_place *disk = &receiver->disks[i];
	struct tracker_status tracker;
	struct pending_disk place;
	unsigned int gaps = 0;
	int r = where(receiver, i, &place, &tracker, err);

	if (r == 0)
		r = pending_merge_all(&place, disk->frozen, disk->before, epoch,
				      &gaps, err);
	if (r == 0 && gaps)
		ui_note(receiver->ui,
			"%s: %u targets of %s had missed a cut before; their "
			"next backup compares all of it",
			receiver->name, gaps, disk->target);
	return r;
}

/* The lock goes on, in other hands. */
static int replace_server(struct receiver *receiver, size_t i, struct err *err)
{
	struct receiver_place *disk = &receiver->disks[i];
	_cleanup_free_ char *path =
		io_format(PLACE_MAPPER "%s", receiver->stacks[i].name);
	int r = disk->server ? ship_server_stop(TAKE_PTR(disk->server), err)
			     : fail(err, -EPROTO, "out of turn");

	if (r < 0)
		return r;
	if (!path)
		return fail(err, -ENOMEM, "out of memory");
	disk->lock_fd = open(path, O_RDWR | O_CLOEXEC);
	return disk->lock_fd < 0 ? fail_errno(err, -errno, "%s", path)
				 : image_lock(disk->lock_fd, path, err);
}

/* From now on it is remembered, whenever it is told: see receiver_linger(). */
static int hear_of_release(struct err *err)
{
	sigset_t told;

	sigemptyset(&told);
	sigaddset(&told, HANDOVER_SIGNAL);
	if (pthread_sigmask(SIG_BLOCK, &told, NULL))
		return fail(err, -EINVAL, "signals");
	signal(HANDOVER_SIGNAL, SIG_DFL);
	return 0;
}

int receiver_finish(struct receiver *receiver, const char *xml, struct err *err)
{
	char epoch[UUID_SIZE];
	int r = 0;

	if (!receiver->armed || receiver->finished)
		return fail(err, -EPROTO, "out of turn");
	for (size_t i = 0; i < receiver->nr_disks && r == 0; i++)
		if (!receiver->disks[i].frozen)
			r = fail(err, -EPROTO, "%s: nothing said of its end",
				 receiver->disks[i].target);
	for (size_t i = 0; i < receiver->nr_disks && r == 0; i++)
		r = replace_server(receiver, i, err);
	if (r == 0)
		r = begin_epoch(receiver, epoch, err);
	for (size_t i = 0; i < receiver->nr_disks && r == 0; i++)
		r = settle(receiver, i, epoch, err);
	if (r == 0)
		r = vm_record_save(receiver->uuid, xml, err);
	if (r == 0)
		r = hear_of_release(err);
	if (r == 0)
		r = handover_arrive(receiver->state_dir, xml, err);
	receiver->finished = r == 0;
	return r;
}
