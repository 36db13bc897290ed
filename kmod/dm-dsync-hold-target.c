// SPDX-License-Identifier: GPL-2.0-only
/*
 * The target dsync-hold: ORIGIN_DM_DEV COW_DEV
 *
 * Notes on the design of this file:
 *
 * The origin is looked up among the devices that this module tracks, and is
 * not opened: that would wait for it where it is suspended, and would keep it
 * from being removed. Only what is below it is opened: DATA_DEV, so that it
 * stays as long as reads and copies may be under way, and COW_DEV.
 *
 * See dm-dsync-hold.c for what a read may return. It is remapped to DATA_DEV
 * like any other; only if some of its blocks were copied by then, a worker
 * reads these from COW_DEV into the same pages.
 */
#include <linux/bio.h>
#include <linux/blkdev.h>
#include <linux/device-mapper.h>
#include <linux/err.h>
#include <linux/kdev_t.h>
#include <linux/module.h>
#include <linux/rcupdate.h>

#include "dm-dsync-cow.h"
#include "dm-dsync-hold.h"
#include "dm-dsync-registry.h"
#include "dm-dsync.h"
#include "uapi/dsync.h"

/**
 * struct hold_read - what is kept with each read
 * @hold: from where
 * @iter: the sectors of the origin and the pages, as they were in the
 *	beginning
 * @work: reads copies
 * @settled: nothing is left to be done but to end it
 */
struct hold_read {
	struct dsync_hold *hold;
	struct bvec_iter iter;
	struct work_struct work;
	bool settled;
};

/*-----------------------------------------------------------------*/

/* A path, or MAJ:MIN. */
static int resolve(const char *arg, dev_t *ret_dev)
{
	unsigned int major, minor;
	char end;

	if (sscanf(arg, "%u:%u%c", &major, &minor, &end) != 2)
		return lookup_bdev(arg, ret_dev);
	*ret_dev = MKDEV(major, minor);
	if (MAJOR(*ret_dev) != major || MINOR(*ret_dev) != minor)
		return -EOVERFLOW;
	return 0;
}

static int open_data(struct dsync_hold *hold, struct dm_target *ti, dev_t dev)
{
	char numbers[24];
	int r;

	snprintf(numbers, sizeof(numbers), "%u:%u", MAJOR(dev), MINOR(dev));
	r = dm_get_device(ti, numbers, FMODE_READ, &hold->data);
	if (r)
		ti->error = "Cannot open the DATA_DEV of ORIGIN";
	return r;
}

static int open_store(struct dm_target *ti, const char *path, dev_t origin,
		      struct dm_dev **store)
{
	unsigned int logical;
	dev_t dev;
	int r = resolve(path, &dev);

	if (!r && dev == origin) {
		ti->error = "COW_DEV and ORIGIN must differ";
		return -EINVAL;
	}
	if (!r)
		r = dm_get_device(ti, path, FMODE_READ | FMODE_WRITE, store);
	if (r) {
		ti->error = "Cannot open COW_DEV";
		return r;
	}
	logical = bdev_logical_block_size((*store)->bdev) >> SECTOR_SHIFT;
	if (!IS_ALIGNED(ti->len, logical)) {
		ti->error = "COW_DEV has larger sectors than ORIGIN";
		dm_put_device(ti, *store);
		return -EINVAL;
	}
	return 0;
}

static int create_hold(struct dm_target *ti, struct dm_dev *store,
		       const struct dsync_geometry *geo,
		       struct dsync_hold **ret_hold)
{
	u64 room = (u64)bdev_nr_sectors(store->bdev) >> geo->block_shift;

	if (!room) {
		ti->error = "COW_DEV is smaller than a block";
		return -EINVAL;
	}
	*ret_hold = dsync_hold_create(geo, room);
	if (!*ret_hold) {
		ti->error = "Cannot allocate the hold";
		return -ENOMEM;
	}
	(*ret_hold)->ti = ti;
	(*ret_hold)->store = store;
	return 0;
}

static int check_table(struct dm_target *ti, unsigned int argc, char **argv,
		       struct dsync_origin *origin)
{
	if (argc != 2) {
		ti->error = "Needs ORIGIN_DM_DEV COW_DEV";
		return -EINVAL;
	}
	if (resolve(argv[0], &origin->dev)) {
		ti->error = "There is no ORIGIN of this name";
		return -ENODEV;
	}
	ti->error = dsync_registry_find(origin);
	if (ti->error)
		return -EINVAL;
	if (ti->begin || ti->len != origin->geo.sectors) {
		ti->error =
			"START must be 0, and LEN that of ORIGIN's dsync target";
		return -EINVAL;
	}
	return 0;
}

static int hold_ctr(struct dm_target *ti, unsigned int argc, char **argv)
{
	struct dsync_origin origin;
	struct dsync_hold *hold;
	struct dm_dev *store;
	int r;

	r = check_table(ti, argc, argv, &origin);
	if (r)
		return r;
	r = open_store(ti, argv[1], origin.dev, &store);
	if (r)
		return r;
	r = create_hold(ti, store, &origin.geo, &hold);
	if (r)
		goto err_put_store;
	r = open_data(hold, ti, origin.data);
	if (r)
		goto err_destroy_hold;
	ti->error = dsync_registry_attach(hold, &origin);
	if (ti->error) {
		r = -EBUSY;
		goto err_put_data;
	}

	ti->per_io_data_size = sizeof(struct hold_read);
	ti->private = hold;
	return 0;

err_put_data:
	dm_put_device(ti, hold->data);
err_destroy_hold:
	dsync_hold_destroy(hold);
err_put_store:
	dm_put_device(ti, store);
	return r;
}

static void hold_dtr(struct dm_target *ti)
{
	struct dsync_hold *hold = ti->private;
	struct dm_dev *data = hold->data, *store = hold->store;

	/* Before it is out of sight of those who end the epoch: it uses its
	 * sets. */
	dsync_hold_finish(hold, DSYNC_HOLD_GONE);
	dsync_registry_detach(hold);
	synchronize_rcu();
	dsync_hold_drain(hold);
	dsync_registry_forget(hold);
	dsync_hold_destroy(hold);
	dm_put_device(ti, data);
	dm_put_device(ti, store);
}

/*-----------------------------------------------------------------*/

static u64 first_of(const struct hold_read *rd)
{
	return (u64)rd->iter.bi_sector >> rd->hold->geo.block_shift;
}

static sector_t end_sector(const struct hold_read *rd)
{
	return rd->iter.bi_sector + (rd->iter.bi_size >> SECTOR_SHIFT);
}

static u64 end_of(const struct hold_read *rd)
{
	return (((u64)end_sector(rd) - 1) >> rd->hold->geo.block_shift) + 1;
}

static bool is_covered(const struct hold_read *rd)
{
	bool covered;

	rcu_read_lock();
	covered = dsync_hold_covers(rd->hold, first_of(rd), end_of(rd));
	rcu_read_unlock();
	return covered;
}

static u64 place_of(const struct hold_read *rd, u64 block)
{
	u64 place;

	rcu_read_lock();
	place = dsync_cow_find(rd->hold->cow, block);
	rcu_read_unlock();
	return place;
}

static int hold_map(struct dm_target *ti, struct bio *bio)
{
	struct hold_read *rd = dm_per_bio_data(bio, sizeof(*rd));
	struct dsync_hold *hold = ti->private;

	if (bio_op(bio) != REQ_OP_READ)
		return DM_MAPIO_KILL;
	bio->bi_iter.bi_sector = dm_target_offset(ti, bio->bi_iter.bi_sector);
	rd->hold = hold;
	rd->iter = bio->bi_iter;
	rd->settled = false;
	if (!is_covered(rd))
		return DM_MAPIO_KILL;
	bio_set_dev(bio, hold->data->bdev);
	return DM_MAPIO_REMAPPED;
}

/*
 * Reads @count blocks from @place on into the pages that @bio has for those
 * from @block on; of the first and the last one only what was asked for.
 */
static blk_status_t read_copy(struct hold_read *rd, struct bio *bio, u64 block,
			      u64 count, u64 place)
{
	unsigned int shift = rd->hold->geo.block_shift;
	sector_t base = (sector_t)block << shift;
	sector_t from = max(base, rd->iter.bi_sector);
	sector_t to = min((sector_t)(block + count) << shift, end_sector(rd));
	struct bvec_iter iter = rd->iter;
	struct bio copy;
	int r;

	bio_advance_iter(bio, &iter, (from - iter.bi_sector) << SECTOR_SHIFT);
	iter.bi_size = (to - from) << SECTOR_SHIFT;
	iter.bi_sector = ((sector_t)place << shift) + (from - base);

	bio_init(&copy, rd->hold->store->bdev, bio->bi_io_vec, 0, REQ_OP_READ);
	bio_set_flag(&copy, BIO_CLONED);
	copy.bi_iter = iter;
	r = submit_bio_wait(&copy);
	bio_uninit(&copy);
	return errno_to_blk_status(r);
}

/* Replaces what may be newer; neighbours in the store are read at once. */
static blk_status_t read_copies(struct hold_read *rd, struct bio *bio)
{
	u64 block = first_of(rd), end = end_of(rd), count, place;
	blk_status_t status = BLK_STS_OK;

	for (; block < end && !status; block += count) {
		count = 1;
		place = place_of(rd, block);
		if (place == DSYNC_NO_PLACE)
			continue;
		while (block + count < end &&
		       place_of(rd, block + count) == place + count)
			count++;
		status = read_copy(rd, bio, block, count, place);
	}
	return status;
}

static void read_work(struct work_struct *work)
{
	struct hold_read *rd = container_of(work, struct hold_read, work);
	struct bio *bio = dm_bio_from_per_bio_data(rd, sizeof(*rd));

	bio->bi_status = read_copies(rd, bio);
	if (!bio->bi_status && !is_covered(rd))
		bio->bi_status = BLK_STS_IOERR;
	rd->settled = true;
	bio_endio(bio);
}

static bool has_copies(const struct hold_read *rd)
{
	u64 block;

	for (block = first_of(rd); block < end_of(rd); block++)
		if (place_of(rd, block) != DSYNC_NO_PLACE)
			return true;
	return false;
}

static int hold_end_io(struct dm_target *ti, struct bio *bio,
		       blk_status_t *error)
{
	struct hold_read *rd = dm_per_bio_data(bio, sizeof(*rd));

	if (rd->settled || *error)
		return DM_ENDIO_DONE;
	smp_rmb(); /* see dm-dsync-hold.c */
	if (!is_covered(rd)) {
		*error = BLK_STS_IOERR;
		return DM_ENDIO_DONE;
	}
	if (!has_copies(rd))
		return DM_ENDIO_DONE;
	INIT_WORK(&rd->work, read_work);
	queue_work(rd->hold->queue, &rd->work);
	return DM_ENDIO_INCOMPLETE;
}

/*-----------------------------------------------------------------*/

static const char *const states[] = {
	[DSYNC_HOLD_READY] = DSYNC_HOLD_STATE_READY,
	[DSYNC_HOLD_ARMED] = DSYNC_HOLD_STATE_ARMED,
	[DSYNC_HOLD_INVALID] = DSYNC_HOLD_STATE_INVALID,
	[DSYNC_HOLD_ENDED] = "ended",
	[DSYNC_HOLD_GONE] = "gone",
};

static void hold_status(struct dm_target *ti, status_type_t type,
			unsigned int flags, char *result, unsigned int maxlen)
{
	struct dsync_hold *hold = ti->private;
	struct dsync_hold_summary sum;
	size_t sz = 0;

	switch (type) {
	case STATUSTYPE_INFO:
		dsync_hold_summarize(hold, &sum);
		DMEMIT("%s %llu %llu %llu", states[sum.state],
		       1ULL << hold->geo.block_shift, sum.used, sum.size);
		DMEMIT(" copies %llu copy_jobs %llu writes_delayed %llu",
		       sum.copies, (u64)atomic64_read(&hold->nr_jobs),
		       (u64)atomic64_read(&hold->nr_delayed));
		break;
	case STATUSTYPE_TABLE:
		DMEMIT("%u:%u %s", MAJOR(hold->origin), MINOR(hold->origin),
		       hold->store->name);
		break;
	case STATUSTYPE_IMA:
		DMEMIT_TARGET_NAME_VERSION(ti->type);
		DMEMIT(",origin=%u:%u,cow_dev=%s;", MAJOR(hold->origin),
		       MINOR(hold->origin), hold->store->name);
		break;
	}
}

static int hold_iterate_devices(struct dm_target *ti,
				iterate_devices_callout_fn fn, void *data)
{
	struct dsync_hold *hold = ti->private;
	u64 room = hold->cow->nr_places << hold->geo.block_shift;
	int r = fn(ti, hold->data, 0, ti->len, data);

	return r ? r : fn(ti, hold->store, 0, room, data);
}

static struct target_type hold_target = {
	.name = DSYNC_HOLD_TARGET,
	.version = {1, 0, 0},
	.features = DM_TARGET_NOWAIT,
	.module = THIS_MODULE,
	.ctr = hold_ctr,
	.dtr = hold_dtr,
	.map = hold_map,
	.end_io = hold_end_io,
	.status = hold_status,
	.iterate_devices = hold_iterate_devices,
};

/**
 * dsync_hold_target_init() - makes the target known to device mapper
 *
 * Return: 0 or a negative error.
 */
int __init dsync_hold_target_init(void)
{
	return dm_register_target(&hold_target);
}

/**
 * dsync_hold_target_exit() - takes it back; no table uses it
 */
void dsync_hold_target_exit(void)
{
	dm_unregister_target(&hold_target);
}
