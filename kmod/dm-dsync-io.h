/* SPDX-License-Identifier: GPL-2.0-only */
/* Transfers of metadata: with a buffer of their own, and a deadline. */
#ifndef DM_DSYNC_IO_H
#define DM_DSYNC_IO_H

#include <linux/atomic.h>
#include <linux/bio.h>
#include <linux/completion.h>
#include <linux/refcount.h>
#include <linux/workqueue.h>

#define DSYNC_IO_BYTES 65536U

/**
 * struct dsync_disk - a device that transfers go to
 * @bdev: the device; whoever owns this keeps it open
 * @timeout: how long to wait for one, in jiffies
 * @in_flight: transfers that have not ended, also those nobody waits for
 */
struct dsync_disk {
	struct block_device *bdev;
	unsigned long timeout;
	atomic_t in_flight;
};

/**
 * struct dsync_io - one transfer at a time
 * @disk: where it goes
 * @buf: DSYNC_IO_BYTES; not to be touched while the transfer is under way
 * @submit: hands the bio over, as that may block
 * @done: complete when no transfer is under way
 * @error: how the last one ended
 * @refs: the owner's, and that of a transfer under way
 * @bio: what is submitted
 * @vec: its only segment
 */
struct dsync_io {
	struct dsync_disk *disk;
	void *buf;
	struct work_struct submit;
	struct completion done;
	int error;
	refcount_t refs;
	struct bio bio;
	struct bio_vec vec;
};

int dsync_io_init(void);
void dsync_io_exit(void);

struct dsync_io *dsync_io_create(struct dsync_disk *disk, gfp_t gfp);
void dsync_io_put(struct dsync_io *io);

void dsync_io_start(struct dsync_io *io, blk_opf_t opf, sector_t sector,
		    unsigned int bytes);
int dsync_io_wait(struct dsync_io **io);
int dsync_io_run(struct dsync_io **io, blk_opf_t opf, sector_t sector,
		 unsigned int bytes);

void dsync_disk_drain(struct dsync_disk *disk);

#endif
