// SPDX-License-Identifier: GPL-2.0-only
/*
 * Who tracks which mapped device: what outlives a table.
 *
 * Notes on the design of this file:
 *
 * `dmsetup load` and `resume` replace a live table by another one while the
 * guest runs. The new target must go on where the old one stopped, but while
 * both exist only one of them is live, and device mapper does not tell them
 * of each other. So what is to survive hangs on neither: every mapped device
 * has one struct dsync_device, found by its mapped_device, that all targets
 * in its tables join in their constructors and leave in their destructors.
 *
 *	ctr		join: nothing changes for the live target
 *	preresume	take_over: the caller becomes the owner
 *	dtr		leave: if the owner leaves, tracking has ended
 *
 * The owner is the target of the live table. When a target takes over from
 * an owner, the device went straight from the one table to the other with no
 * I/O in between, and everything known stays known. Without an owner there
 * was a time without tracking: what is known then comes from META_DEV, and is
 * nothing without one. The former owner is fenced by not being the owner: it
 * gets no more I/O, and its destructor only leaves.
 *
 * The metadata go from owner to owner if both have the same META_DEV. If the
 * owner leaves for good, it says on META_DEV that it did: "clean" if the whole
 * device goes, so that nobody can have written since it was suspended; "lost"
 * if something else has taken its place, as that may run already.
 *
 * Two programs that replace the table of one device at the same time (one by
 * some other target, one by ours) are not told apart while the first still
 * destroys our old table. dsync-vm holds a lock per domain for this.
 *
 * Lock order: see dm-dsync-meta.c. Every resume takes the registry lock; see
 * dm-dsync-epoch.c for what this forbids. Moreover nobody waits for a META_DEV
 * under it: it would stop all other devices.
 */
#include <linux/blkdev.h>
#include <linux/device-mapper.h>
#include <linux/dm-ioctl.h>
#include <linux/list.h>
#include <linux/mutex.h>
#include <linux/sched/mm.h>
#include <linux/slab.h>

#include "dm-dsync-device.h"
#include "dm-dsync-hold.h"
#include "dm-dsync-meta.h"
#include "dm-dsync-proc.h"
#include "dm-dsync-registry.h"
#include "dm-dsync.h"

DEFINE_MUTEX(dsync_registry_lock);
LIST_HEAD(dsync_registry);

static struct dsync_device *create_device(struct mapped_device *md)
{
	struct dsync_device *dev = kzalloc(sizeof(*dev), GFP_KERNEL);

	if (!dev)
		return NULL;
	dev->md = md;
	INIT_LIST_HEAD(&dev->instances);
	dsync_epochs_init(&dev->epochs);
	return dev;
}

static void destroy_device(struct dsync_device *dev)
{
	if (!dev)
		return;
	dsync_epochs_exit(&dev->epochs);
	kfree(dev);
}

static struct dsync_device *find_device(struct mapped_device *md)
{
	struct dsync_device *dev;

	list_for_each_entry(dev, &dsync_registry, node)
		if (dev->md == md)
			return dev;
	return NULL;
}

/* Both may be without one. */
static bool same_meta(const struct dsync *a, const struct dsync *b)
{
	if (!a->meta_dev || !b->meta_dev)
		return a->meta_dev == b->meta_dev;
	return a->meta_dev->bdev == b->meta_dev->bdev;
}

/* Whether a target of another mapped device has our META_DEV. */
static bool meta_is_taken(struct dsync_device *dev, struct dsync *ds)
{
	struct dsync_device *other;
	struct dsync *they;

	list_for_each_entry(other, &dsync_registry, node)
		list_for_each_entry(they, &other->instances, node)
			if (other != dev && ds->meta_dev && same_meta(they, ds))
				return true;
	return false;
}

/* What, if anything, keeps @ds out of @dev: a text for ti->error. */
static char *refuse(struct dsync_device *dev, struct dsync *ds)
{
	struct dsync *other;

	if (dsync_registry_is_store(ds->data->bdev->bd_dev))
		return "DATA_DEV is in use as COW_DEV of a hold";
	if (ds->meta_dev && dsync_registry_is_store(ds->meta_dev->bdev->bd_dev))
		return "META_DEV is in use as COW_DEV of a hold";
	if (meta_is_taken(dev, ds))
		return "META_DEV is in use for another device";
	if (!dev)
		return NULL;
	list_for_each_entry(other, &dev->instances, node)
		if (other->table == ds->table)
			return "Only one dsync target per table";
	if (!dev->owner)
		return NULL;
	return dsync_epochs_refuse(&dev->epochs, &ds->geo,
				   same_meta(dev->owner, ds));
}

/**
 * dsync_registry_join() - makes a new target known
 * @ds: the target, with its geometry; gets device and epochs
 * @ti: tells the table; gets the text of an error
 *
 * Return: 0 or a negative error.
 *
 * Context: constructor; takes the registry lock.
 */
int dsync_registry_join(struct dsync *ds, struct dm_target *ti)
{
	struct mapped_device *md = dm_table_get_md(ti->table);
	struct dsync_device *unused = create_device(md), *dev;
	int r = 0;

	if (!unused) {
		ti->error = "Cannot allocate the device's state";
		return -ENOMEM;
	}

	mutex_lock(&dsync_registry_lock);
	ds->table = ti->table;
	dev = find_device(md);
	ti->error = refuse(dev, ds);
	r = ti->error ? -EINVAL : 0;
	if (!r && !dev) {
		dev = unused;
		unused = NULL;
		list_add(&dev->node, &dsync_registry);
	}
	if (!r) {
		list_add(&ds->node, &dev->instances);
		ds->device = dev;
		ds->epochs = &dev->epochs;
	}
	mutex_unlock(&dsync_registry_lock);

	destroy_device(unused);
	return r;
}

/**
 * dsync_registry_leave() - forgets a target
 * @ds: the target; gets no more calls
 * @gone: its mapped device is being removed
 *
 * Context: destructor; takes the registry lock, and waits for those who are
 * reading the files of the device, and for META_DEV.
 */
void dsync_registry_leave(struct dsync *ds, bool gone)
{
	struct dsync_device *dev = ds->device, *unused = NULL;
	struct dsync_proc *proc = NULL;
	bool owned;

	mutex_lock(&dsync_registry_lock);
	owned = dev->owner == ds;
	if (owned) {
		dev->owner = NULL;
		swap(proc, dev->proc);
		dsync_registry_orphan(dev);
	}
	mutex_unlock(&dsync_registry_lock);

	/* Not under the lock: a reader may wait for a suspended device. */
	dsync_proc_remove(proc);
	if (owned)
		dsync_epochs_orphan(&dev->epochs);
	if (ds->meta)
		dsync_meta_close(ds->meta, owned && gone);

	mutex_lock(&dsync_registry_lock);
	dsync_proc_free(proc);
	list_del(&ds->node);
	if (list_empty(&dev->instances)) {
		list_del(&dev->node);
		unused = dev;
	}
	mutex_unlock(&dsync_registry_lock);

	destroy_device(unused);
}

/**
 * dsync_registry_geometry() - tells how live metadata are cut
 * @md: a mapped device
 * @bdev: META_DEV of a new table for it
 * @super: becomes the superblock, if the live table has the same META_DEV
 *
 * Return: whether it has.
 *
 * Context: constructor; takes the registry lock.
 */
bool dsync_registry_geometry(struct mapped_device *md,
			     struct block_device *bdev,
			     struct dsync_super *super)
{
	struct dsync_device *dev;
	bool live = false;

	mutex_lock(&dsync_registry_lock);
	dev = find_device(md);
	if (dev && dev->owner && dev->owner->meta_dev) {
		live = dev->owner->meta_dev->bdev == bdev;
		if (live)
			*super = dev->owner->meta->super;
	}
	mutex_unlock(&dsync_registry_lock);
	return live;
}

/* How a target finds the device that it is to own. */
enum standing {
	STAND_OWNER, /* it owns it already */
	STAND_HEIR,  /* it goes on where the owner stopped */
	STAND_RIVAL, /* it has another META_DEV or block size than the owner */
	STAND_FIRST, /* there is no owner */
};

static enum standing standing_of(const struct dsync *ds)
{
	const struct dsync *owner = ds->device->owner;

	if (owner == ds)
		return STAND_OWNER;
	if (!owner)
		return STAND_FIRST;
	/* They may not even be alike if the owner came after our constructor. */
	if (owner->geo.block_shift != ds->geo.block_shift ||
	    !same_meta(owner, ds) ||
	    (ds->meta && !dsync_meta_is_alike(ds->meta, owner->meta)))
		return STAND_RIVAL;
	return STAND_HEIR;
}

/* A hold only goes on with what it was made for. */
static void end_hold(struct dsync *ds, enum standing standing)
{
	const struct dsync *owner = ds->device->owner;

	if (standing != STAND_HEIR || owner->data->bdev != ds->data->bdev ||
	    owner->geo.sectors != ds->geo.sectors)
		dsync_registry_orphan(ds->device);
}

/* Gets the metadata of the owner, of the right size. */
static void inherit_meta(struct dsync *ds, struct dsync *owner)
{
	if (!ds->meta)
		return;
	if (owner->geo.sectors != ds->geo.sectors)
		dsync_meta_resize(owner->meta, ds->meta,
				  owner->geo.sectors < ds->geo.sectors);
	swap(ds->meta, owner->meta);
	ds->meta->disk.timeout = owner->meta->disk.timeout;
}

/**
 * dsync_registry_take_over() - makes a target the owner of its device
 * @ds: the target; its fresh sets are used up
 *
 * Who owns a device is only changed here, one resume at a time, and by the
 * destructor of the owner.
 *
 * Context: preresume, so no I/O is under way; takes the registry lock, and may
 * wait for META_DEV; cannot fail.
 */
void dsync_registry_take_over(struct dsync *ds)
{
	struct dsync_device *dev = ds->device;
	unsigned int timeout_ms = ds->options.value[DSYNC_HOLD_TIMEOUT_MS];
	struct dsync_sets *unused;
	enum standing standing;

	mutex_lock(&dsync_registry_lock);
	standing = standing_of(ds);
	mutex_unlock(&dsync_registry_lock);

	if (standing == STAND_OWNER)
		return;
	if (standing == STAND_RIVAL && dev->owner->meta)
		dsync_meta_fence(dev->owner->meta);
	if (standing == STAND_HEIR)
		inherit_meta(ds, dev->owner);
	else if (ds->meta)
		dsync_meta_load(ds->meta, ds->fresh, standing == STAND_FIRST);

	mutex_lock(&dsync_registry_lock);
	end_hold(ds, standing);
	mutex_unlock(&dsync_registry_lock);

	unused = dsync_epochs_adopt(ds->epochs, ds->fresh, ds->meta,
				    standing == STAND_HEIR);
	ds->fresh = NULL;
	mutex_lock(&dsync_registry_lock);
	/* One may have come meanwhile. */
	end_hold(ds, standing);
	dev->owner = ds;
	dsync_hold_set_timeout(ds->epochs, msecs_to_jiffies(timeout_ms));
	mutex_unlock(&dsync_registry_lock);

	dsync_sets_destroy(unused);
	if (ds->meta)
		dsync_meta_start(ds->meta, ds->epochs);
	smp_store_release(&ds->live, true);
}

/**
 * dsync_registry_show() - makes the files in /proc, unless they exist
 * @ds: the owner
 *
 * A failure is logged and else ignored: the guest comes first.
 *
 * Context: resume; takes the registry lock.
 */
void dsync_registry_show(struct dsync *ds)
{
	struct dsync_device *dev = ds->device;
	char name[DM_NAME_LEN];
	unsigned int noio;

	if (dm_copy_name_and_uuid(dev->md, name, NULL))
		name[0] = '\0';

	mutex_lock(&dsync_registry_lock);
	noio = memalloc_noio_save();
	if (!dev->proc)
		dev->proc = dsync_proc_create(name, dm_device_name(dev->md),
					      &dev->epochs);
	memalloc_noio_restore(noio);
	if (!dev->proc)
		DMWARN("%s: no files in /proc for this device",
		       dm_device_name(dev->md));
	mutex_unlock(&dsync_registry_lock);
}

/**
 * dsync_registry_event() - wakes those who wait for an event on a device
 * @ep: the epochs of the device
 *
 * Context: takes the registry lock.
 */
void dsync_registry_event(struct dsync_epochs *ep)
{
	struct dsync_device *dev =
		container_of(ep, struct dsync_device, epochs);

	mutex_lock(&dsync_registry_lock);
	if (dev->owner)
		dm_table_event(dev->owner->table);
	mutex_unlock(&dsync_registry_lock);
}
