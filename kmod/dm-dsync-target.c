// SPDX-License-Identifier: GPL-2.0-only
/*
 * The target: what device mapper calls.
 *
 * Notes on the design of this file:
 *
 * The target is dm-linear that remembers. A guest must not be able to tell
 * whether its disk is tracked: bios are neither split nor delayed, limits are
 * passed through as they are (so there is no io_hints), and no error is ever
 * ours. map() marks the blocks and passes the bio on; that takes no lock, does
 * not sleep and cannot fail. With a META_DEV, the first write into a region
 * waits for a worker instead (see dm-dsync-commit.c), or is told to come again
 * if it must not wait. So it is with the first write to a block that a hold
 * protects (see dm-dsync-hold.c). Reads never wait.
 *
 * Everything that is a write by its opcode is marked over its whole range.
 * Device mapper sends a discard of gigabytes down as one bio, at whatever
 * offset; a bio that touches a byte of a block makes the block dirty.
 *
 * Never set: max_io_len (it would split writes), flush_bypasses_map (a flush
 * must come by, once there is metadata), prepare_ioctl and direct_access
 * (both let a guest write around map()), zoned flags.
 */
#include <linux/bio.h>
#include <linux/blkdev.h>
#include <linux/device-mapper.h>
#include <linux/module.h>
#include <linux/rcupdate.h>
#include <linux/slab.h>

#include "dm-dsync-bitmap.h"
#include "dm-dsync-hold.h"
#include "dm-dsync-meta.h"
#include "dm-dsync-registry.h"
#include "dm-dsync.h"
#include "uapi/dsync.h"

static int open_data(struct dsync *ds, struct dm_target *ti, const char *path)
{
	int r = dm_get_device(ti, path, dm_table_get_mode(ti->table),
			      &ds->data);

	if (r) {
		ti->error = "Cannot open DATA_DEV";
		return r;
	}
	if (bdev_nr_sectors(ds->data->bdev) < ti->len) {
		ti->error = "DATA_DEV is smaller than the target";
		dm_put_device(ti, ds->data);
		return -EINVAL;
	}
	return 0;
}

/* What META_DEV says of how the metadata are cut; else the options do. */
static int look_at_meta(struct dsync *ds, struct dm_target *ti,
			struct dsync_super *super, enum dsync_find *find)
{
	struct dsync_disk *disk = &ds->probe_disk;
	struct dsync_io *io;

	super->block_sectors = 1U << ds->geo.block_shift;
	super->region_sectors = ds->options.value[DSYNC_REGION_SECTORS];
	super->active_regions = ds->options.value[DSYNC_ACTIVE_REGIONS];
	*find = DSYNC_FOUND_SUPER;
	if (dsync_registry_geometry(dm_table_get_md(ti->table),
				    ds->meta_dev->bdev, super))
		return 0;

	disk->bdev = ds->meta_dev->bdev;
	disk->timeout =
		msecs_to_jiffies(ds->options.value[DSYNC_META_TIMEOUT_MS]);
	io = dsync_io_create(disk, GFP_KERNEL);
	if (!io) {
		ti->error = "Cannot allocate a buffer for META_DEV";
		return -ENOMEM;
	}
	*find = dsync_meta_probe(&io, super);
	dsync_io_put(io);
	return 0;
}

static bool is_too_small(struct dsync *ds)
{
	u64 needed = dsync_layout_sectors(&ds->meta->rg->layout);

	if (bdev_nr_sectors(ds->meta_dev->bdev) >= needed)
		return false;
	DMERR("META_DEV needs %llu sectors for this device", needed);
	return true;
}

static int create_meta(struct dsync *ds, struct dm_target *ti)
{
	struct dsync_super super = {0};
	enum dsync_find find;
	int r = look_at_meta(ds, ti, &super, &find);

	if (r)
		return r;
	if (super.block_sectors != 1U << ds->geo.block_shift) {
		ti->error =
			"BLOCK_SECTORS differs from META_DEV's; zero its first MiB to start anew";
		return -EINVAL;
	}
	if (((u64)ti->len - 1) / super.region_sectors >= DSYNC_NO_REGION) {
		ti->error = "Too many regions; use a larger region_sectors";
		return -EINVAL;
	}
	ds->meta = dsync_meta_create(ds->meta_dev->bdev, &ds->geo, &super,
				     ds->options.value[DSYNC_META_TIMEOUT_MS]);
	if (!ds->meta) {
		ti->error = "Cannot allocate the metadata";
		return -ENOMEM;
	}
	/* Else a guest shall be able to start, even if tracking is lost. */
	if (find == DSYNC_FOUND_BLANK && is_too_small(ds)) {
		ti->error = "META_DEV is too small";
		r = -EINVAL;
		goto err_destroy_meta;
	}
	return 0;

err_destroy_meta:
	dsync_meta_destroy(ds->meta);
	ds->meta = NULL;
	return r;
}

static int open_meta(struct dsync *ds, struct dm_target *ti, const char *path)
{
	int r;

	if (!path)
		return 0;
	r = dm_get_device(ti, path, FMODE_READ | FMODE_WRITE, &ds->meta_dev);
	if (r) {
		ti->error = "Cannot open META_DEV";
		return r;
	}
	if (ds->meta_dev->bdev == ds->data->bdev) {
		ti->error = "META_DEV and DATA_DEV must differ";
		r = -EINVAL;
		goto err_put_meta;
	}
	r = create_meta(ds, ti);
	if (r)
		goto err_put_meta;
	return 0;

err_put_meta:
	dsync_disk_drain(&ds->probe_disk);
	dm_put_device(ti, ds->meta_dev);
	ds->meta_dev = NULL;
	return r;
}

static void close_meta(struct dsync *ds, struct dm_target *ti)
{
	dsync_meta_destroy(ds->meta);
	dsync_disk_drain(&ds->probe_disk);
	if (ds->meta_dev)
		dm_put_device(ti, ds->meta_dev);
}

static void set_bios(struct dm_target *ti)
{
	ti->num_flush_bios = 1;
	ti->num_discard_bios = 1;
	ti->num_secure_erase_bios = 1;
	ti->num_write_zeroes_bios = 1;
	ti->per_io_data_size = sizeof(struct dsync_wait);
	dsync_compat_set_bios(ti);
}

static int dsync_ctr(struct dm_target *ti, unsigned int argc, char **argv)
{
	struct dsync_table table;
	struct dsync *ds;
	int r;

	r = dsync_table_parse(ti, argc, argv, &table);
	if (r)
		return r;

	ds = kzalloc(sizeof(*ds), GFP_KERNEL);
	if (!ds) {
		ti->error = "Cannot allocate the target";
		return -ENOMEM;
	}
	ds->options = table.options;
	ds->geo.sectors = ti->len;
	ds->geo.block_shift = table.block_shift;

	r = open_data(ds, ti, table.data_dev);
	if (r)
		goto err_free_ds;

	ds->fresh = dsync_sets_create(&ds->geo);
	if (!ds->fresh) {
		ti->error =
			"Cannot allocate the bitmaps; try a larger BLOCK_SECTORS";
		r = -ENOMEM;
		goto err_put_data;
	}

	r = open_meta(ds, ti, table.meta_dev);
	if (r)
		goto err_destroy_sets;
	r = dsync_registry_join(ds, ti);
	if (r)
		goto err_close_meta;

	set_bios(ti);
	ti->private = ds;
	return 0;

err_close_meta:
	close_meta(ds, ti);
err_destroy_sets:
	dsync_sets_destroy(ds->fresh);
err_put_data:
	dm_put_device(ti, ds->data);
err_free_ds:
	kfree(ds);
	return r;
}

static void dsync_dtr(struct dm_target *ti)
{
	struct mapped_device *md = dm_table_get_md(ti->table);
	struct dsync *ds = ti->private;

	dsync_registry_leave(ds, disk_is_dead(dm_disk(md)));
	dsync_sets_destroy(ds->fresh);
	close_meta(ds, ti);
	dm_put_device(ti, ds->data);
	kfree(ds);
}

/*-----------------------------------------------------------------*/

/* Marks before it asks, all within RCU: see dm-dsync-region.c. */
static bool may_write_now(struct dsync *ds, struct bio *bio)
{
	u64 first = dsync_bio_first(&ds->geo, bio);
	u64 count = dsync_bio_blocks(&ds->geo, bio);
	bool ready;

	rcu_read_lock();
	dsync_bitmap_mark(ds->epochs->sets->map[DSYNC_DIRTY], first, count);
	ready = !ds->meta || dsync_meta_ready(ds->meta, first, count);
	rcu_read_unlock();
	return ready;
}

static int dsync_map(struct dm_target *ti, struct bio *bio)
{
	struct dsync *ds = ti->private;

	bio_set_dev(bio, ds->data->bdev);
	if (!bio_sectors(bio)) /* an empty flush */
		return DM_MAPIO_REMAPPED;

	bio->bi_iter.bi_sector = dm_target_offset(ti, bio->bi_iter.bi_sector);
	if (!op_is_write(bio_op(bio)))
		return DM_MAPIO_REMAPPED;
	if (may_write_now(ds, bio)) {
		if (dsync_hold_delays(ds->epochs, bio))
			return DM_MAPIO_SUBMITTED;
		return DM_MAPIO_REMAPPED;
	}

	if (bio->bi_opf & REQ_NOWAIT)
		bio_wouldblock_error(bio);
	else
		dsync_meta_defer(ds->meta, bio);
	return DM_MAPIO_SUBMITTED;
}

/*-----------------------------------------------------------------*/

static void tell_suspending(struct dsync *ds, bool suspending)
{
	if (ds->meta)
		dsync_meta_suspending(ds->meta, suspending);
}

/* Writes still come after this: the file system above is synced. */
static void dsync_presuspend(struct dm_target *ti)
{
	tell_suspending(ti->private, true);
}

static void dsync_presuspend_undo(struct dm_target *ti)
{
	tell_suspending(ti->private, false);
}

static void dsync_postsuspend(struct dm_target *ti)
{
	struct dsync *ds = ti->private;

	dsync_epochs_suspended(ds->epochs);
}

static int dsync_preresume(struct dm_target *ti)
{
	struct dsync *ds = ti->private;

	dsync_registry_take_over(ds);
	dsync_epochs_resumed(ds->epochs);
	tell_suspending(ds, false);
	return 0;
}

static void dsync_resume(struct dm_target *ti)
{
	dsync_registry_show(ti->private);
}

static int dsync_iterate_devices(struct dm_target *ti,
				 iterate_devices_callout_fn fn, void *data)
{
	struct dsync *ds = ti->private;

	return fn(ti, ds->data, 0, ti->len, data);
}

static struct target_type dsync_target = {
	.name = DSYNC_TARGET,
	.version = {1, 0, 0},
	.features = DM_TARGET_NOWAIT | DM_TARGET_PASSES_INTEGRITY |
		    DM_TARGET_ATOMIC_WRITES,
	.module = THIS_MODULE,
	.ctr = dsync_ctr,
	.dtr = dsync_dtr,
	.map = dsync_map,
	.presuspend = dsync_presuspend,
	.presuspend_undo = dsync_presuspend_undo,
	.postsuspend = dsync_postsuspend,
	.preresume = dsync_preresume,
	.resume = dsync_resume,
	.status = dsync_status,
	.message = dsync_message,
	.iterate_devices = dsync_iterate_devices,
};

/**
 * dsync_target_init() - makes the target known to device mapper
 *
 * Return: 0 or a negative error.
 */
int __init dsync_target_init(void)
{
	return dm_register_target(&dsync_target);
}

/**
 * dsync_target_exit() - takes it back; no table uses it
 */
void dsync_target_exit(void)
{
	dm_unregister_target(&dsync_target);
}
