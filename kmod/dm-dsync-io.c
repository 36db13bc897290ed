// SPDX-License-Identifier: GPL-2.0-only
/*
 * Transfers of metadata: with a buffer of their own, and a deadline.
 *
 * Notes on the design of this file:
 *
 * Guests wait for metadata, and a metadata device may hang for good. So
 * nobody here waits for longer than the timeout, wherever a transfer is
 * stuck: in submit_bio(), which blocks when a queue is frozen or full and is
 * therefore called by a worker; or in the device.
 *
 * Who gives up leaves the transfer behind with all its memory; it frees
 * itself if it ever ends. Until then it may still change the device, and so
 * nothing may be written to the same place: see dsync_disk.in_flight. Only
 * the destructor waits for it without a limit, as the device must not be
 * closed, nor this code unloaded, before.
 *
 * Everything a transfer needs is allocated with it: no memory is needed to
 * write metadata, as memory may only become free by it.
 */
#include <linux/blkdev.h>
#include <linux/gfp.h>
#include <linux/mm.h>
#include <linux/slab.h>
#include <linux/wait_bit.h>

#include "dm-dsync-io.h"

#define IO_ORDER get_order(DSYNC_IO_BYTES)

static struct workqueue_struct *submitters;

/**
 * dsync_io_init() - prepares for transfers
 *
 * Return: 0 or -ENOMEM.
 */
int __init dsync_io_init(void)
{
	submitters = alloc_workqueue(
		"dsync_submit", WQ_MEM_RECLAIM | WQ_HIGHPRI | WQ_PERCPU, 0);
	return submitters ? 0 : -ENOMEM;
}

/**
 * dsync_io_exit() - ends it; no transfer is left
 */
void dsync_io_exit(void)
{
	destroy_workqueue(submitters);
}

static void submit(struct work_struct *work)
{
	struct dsync_io *io = container_of(work, struct dsync_io, submit);

	submit_bio(&io->bio);
}

/**
 * dsync_io_create() - makes a transfer that is not yet under way
 * @disk: where it goes
 * @gfp: how to allocate
 *
 * Return: the transfer, for dsync_io_put(), or NULL without memory.
 */
struct dsync_io *dsync_io_create(struct dsync_disk *disk, gfp_t gfp)
{
	struct dsync_io *io = kzalloc(sizeof(*io), gfp);

	if (!io)
		return NULL;
	/*
	 * One compound page: who passes it on by single pages, as network file
	 * systems below a loop device do, takes and drops references to these.
	 */
	io->buf = (void *)__get_free_pages(gfp | __GFP_COMP, IO_ORDER);
	if (!io->buf)
		goto err_free_io;
	io->disk = disk;
	INIT_WORK(&io->submit, submit);
	init_completion(&io->done);
	complete_all(&io->done);
	refcount_set(&io->refs, 1);
	return io;

err_free_io:
	kfree(io);
	return NULL;
}

/**
 * dsync_io_put() - gives a transfer up
 * @io: the transfer or NULL; may be under way
 */
void dsync_io_put(struct dsync_io *io)
{
	if (!io || !refcount_dec_and_test(&io->refs))
		return;
	free_pages((unsigned long)io->buf, IO_ORDER);
	kfree(io);
}

static void ended(struct bio *bio)
{
	struct dsync_io *io = bio->bi_private;
	struct dsync_disk *disk = io->disk;

	io->error = blk_status_to_errno(bio->bi_status);
	bio_uninit(bio);
	complete_all(&io->done);
	dsync_io_put(io);
	/* @disk may be gone once the count is zero; its address will do. */
	if (atomic_dec_and_test(&disk->in_flight))
		wake_up_var(&disk->in_flight);
}

/**
 * dsync_io_start() - starts a transfer
 * @io: the transfer, not under way
 * @opf: the operation and its flags
 * @sector: where
 * @bytes: of @io->buf; 0 for an empty flush
 *
 * Context: does not sleep.
 */
void dsync_io_start(struct dsync_io *io, blk_opf_t opf, sector_t sector,
		    unsigned int bytes)
{
	bio_init(&io->bio, io->disk->bdev, &io->vec, 1, opf);
	io->bio.bi_iter.bi_sector = sector;
	io->bio.bi_private = io;
	io->bio.bi_end_io = ended;
	if (bytes)
		__bio_add_page(&io->bio, virt_to_page(io->buf), bytes, 0);

	reinit_completion(&io->done);
	refcount_inc(&io->refs);
	atomic_inc(&io->disk->in_flight);
	queue_work(submitters, &io->submit);
}

/**
 * dsync_io_wait() - waits until a transfer ends, but not for ever
 * @io: the transfer; if it is given up, becomes NULL
 *
 * If none is under way, tells of the last one.
 *
 * Return: 0, -EIO or another error of the device, or -ETIMEDOUT.
 *
 * Context: may sleep.
 */
int dsync_io_wait(struct dsync_io **io)
{
	if (wait_for_completion_io_timeout(&(*io)->done, (*io)->disk->timeout))
		return (*io)->error;
	dsync_io_put(*io);
	*io = NULL;
	return -ETIMEDOUT;
}

/**
 * dsync_io_run() - starts a transfer and waits for it
 * @io: the transfer; if it is given up, becomes NULL
 * @opf: the operation and its flags
 * @sector: where
 * @bytes: of the buffer; 0 for an empty flush
 *
 * Return: as dsync_io_wait(); -ENOMEM if @io is NULL.
 *
 * Context: may sleep.
 */
int dsync_io_run(struct dsync_io **io, blk_opf_t opf, sector_t sector,
		 unsigned int bytes)
{
	if (!*io)
		return -ENOMEM;
	dsync_io_start(*io, opf, sector, bytes);
	return dsync_io_wait(io);
}

/**
 * dsync_disk_drain() - waits until no transfer is under way
 * @disk: the device
 *
 * Context: may sleep for as long as the device hangs.
 */
void dsync_disk_drain(struct dsync_disk *disk)
{
	wait_var_event(&disk->in_flight, !atomic_read(&disk->in_flight));
}
