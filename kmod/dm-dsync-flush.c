// SPDX-License-Identifier: GPL-2.0-only
/*
 * Flush: has everything written that a following epoch_begin would have to.
 *
 * It is asked for while the guest runs, and whoever then suspends the device
 * waits for the message to end: so a suspend that waits is told here, and ends
 * the flush. What the writer has begun goes on.
 */
#include <linux/wait.h>

#include "dm-dsync-meta.h"

/**
 * dsync_meta_suspending() - has those give up whom a suspend would wait for
 * @meta: the metadata
 * @suspending: whether the device is about to be suspended, or is
 *
 * Context: does not sleep.
 */
void dsync_meta_suspending(struct dsync_meta *meta, bool suspending)
{
	WRITE_ONCE(meta->suspending, suspending);
	wake_up_all(&meta->wait);
}

static bool is_flushed(struct dsync_meta *meta, int wanted)
{
	return atomic_read(&meta->flush_done) - wanted >= 0;
}

/**
 * dsync_meta_flush() - writes the bitmap out
 * @meta: the metadata
 *
 * Return: 0; -EAGAIN if somebody waits to suspend the device; -EINTR; or what
 * the metadata fails with, -ETIMEDOUT if it does not get on.
 *
 * Context: may sleep; holds no lock.
 */
int dsync_meta_flush(struct dsync_meta *meta)
{
	int wanted = atomic_inc_return(&meta->flush_wanted);
	s64 writes;
	long left;

	do {
		if (dsync_meta_is_unfit(meta))
			return meta->error ? meta->error : -EIO;
		dsync_meta_wake_writer(meta);
		writes = atomic64_read(&meta->nr_writes);
		left = wait_event_killable_timeout(
			meta->wait,
			is_flushed(meta, wanted) || dsync_meta_is_unfit(meta) ||
				READ_ONCE(meta->suspending),
			meta->disk.timeout);
		if (left < 0)
			return -EINTR;
		if (is_flushed(meta, wanted))
			return 0;
		if (READ_ONCE(meta->suspending))
			return -EAGAIN;
	} while (left || writes != atomic64_read(&meta->nr_writes));
	return -ETIMEDOUT;
}
