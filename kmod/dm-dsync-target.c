// SPDX-License-Identifier: GPL-2.0-only
/*
 * The target: what device mapper calls.
 *
 * Notes on the design of this file:
 *
 * The target is dm-linear that remembers. A guest must not be able to tell
 * whether its disk is tracked: bios are neither split nor delayed, limits are
 * passed through as they are (so there is no io_hints), and no error is ever
 * ours. map() marks the blocks and passes the bio on; marking takes no lock,
 * does not sleep and cannot fail, so nowait bios need no second path.
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
#include <linux/slab.h>

#include "dm-dsync-bitmap.h"
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

static void set_bios(struct dm_target *ti)
{
	ti->num_flush_bios = 1;
	ti->num_discard_bios = 1;
	ti->num_secure_erase_bios = 1;
	ti->num_write_zeroes_bios = 1;
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

	r = dsync_registry_join(ds, ti);
	if (r)
		goto err_destroy_sets;

	set_bios(ti);
	ti->private = ds;
	return 0;

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
	struct dsync *ds = ti->private;

	dsync_registry_leave(ds);
	dsync_sets_destroy(ds->fresh);
	dm_put_device(ti, ds->data);
	kfree(ds);
}

/*-----------------------------------------------------------------*/

static void mark(struct dsync *ds, sector_t sector, unsigned int nr_sectors)
{
	u64 first = (u64)sector >> ds->geo.block_shift;
	u64 last = ((u64)sector + nr_sectors - 1) >> ds->geo.block_shift;

	dsync_bitmap_mark(ds->epochs->sets->map[DSYNC_DIRTY], first,
			  last - first + 1);
}

static int dsync_map(struct dm_target *ti, struct bio *bio)
{
	struct dsync *ds = ti->private;

	bio_set_dev(bio, ds->data->bdev);
	if (!bio_sectors(bio)) /* an empty flush */
		return DM_MAPIO_REMAPPED;

	bio->bi_iter.bi_sector = dm_target_offset(ti, bio->bi_iter.bi_sector);
	if (op_is_write(bio_op(bio)))
		mark(ds, bio->bi_iter.bi_sector, bio_sectors(bio));
	return DM_MAPIO_REMAPPED;
}

/*-----------------------------------------------------------------*/

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
