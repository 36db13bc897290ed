// SPDX-License-Identifier: GPL-2.0-only
/*
 * Which hold belongs to which tracked device.
 *
 * Notes on the design of this file:
 *
 * A hold is found by the epochs of its origin, which outlive tables, and knows
 * them. Either may go first: who goes, takes the registry lock and the lock of
 * the epochs, and clears both pointers. The epochs only need their own lock to
 * look at their hold, and map() needs RCU.
 *
 * A store belongs to one hold until nothing can be written to it any more,
 * which may be long after the hold has ended if the store hangs.
 */
#include <linux/blkdev.h>
#include <linux/rcupdate.h>

#include "dm-dsync-device.h"
#include "dm-dsync-hold.h"
#include "dm-dsync-registry.h"
#include "dm-dsync.h"

static LIST_HEAD(holds);

/**
 * dsync_registry_is_store() - whether a device is the store of a hold
 * @dev: the device
 *
 * Context: under the registry lock.
 */
bool dsync_registry_is_store(dev_t dev)
{
	struct dsync_hold *hold;

	list_for_each_entry(hold, &holds, node)
		if (hold->store->bdev->bd_dev == dev)
			return true;
	return false;
}

/* A device and its hold, if any, know of each other no longer. */
static struct dsync_hold *part(struct dsync_device *dev)
{
	struct dsync_epochs *ep = &dev->epochs;
	struct dsync_hold *hold;

	mutex_lock(&ep->lock);
	hold = dsync_hold_of(ep);
	if (hold) {
		hold->ep = NULL;
		RCU_INIT_POINTER(ep->hold, NULL);
	}
	mutex_unlock(&ep->lock);
	return hold;
}

/**
 * dsync_registry_orphan() - ends the hold of a device, if any
 * @dev: is no more, or is not what the hold was made for
 *
 * Context: under the registry lock; takes the epochs lock; may sleep.
 */
void dsync_registry_orphan(struct dsync_device *dev)
{
	struct dsync_hold *hold = part(dev);

	if (hold)
		dsync_hold_finish(hold, DSYNC_HOLD_GONE);
}

static struct dsync_device *find_origin(dev_t dev)
{
	struct dsync_device *it;

	list_for_each_entry(it, &dsync_registry, node)
		if (it->owner && disk_devt(dm_disk(it->md)) == dev)
			return it;
	return NULL;
}

static char *look_at_origin(struct dsync_device *dev,
			    struct dsync_origin *ret_origin)
{
	if (!dev)
		return "ORIGIN is not a live dsync device";
	ret_origin->geo = dev->owner->geo;
	ret_origin->data = dev->owner->data->bdev->bd_dev;
	return NULL;
}

/**
 * dsync_registry_find() - finds what a hold is to be made for
 * @origin: its @dev is given, the rest is filled in
 *
 * Return: a text for ti->error, or NULL if all is fine.
 *
 * Context: constructor; takes the registry lock.
 */
char *dsync_registry_find(struct dsync_origin *origin)
{
	char *error;

	mutex_lock(&dsync_registry_lock);
	error = look_at_origin(find_origin(origin->dev), origin);
	mutex_unlock(&dsync_registry_lock);
	return error;
}

/* Whether a tracked device is on it, or has its metadata there. */
static bool is_used(dev_t disk)
{
	struct dsync_device *dev;
	struct dsync *ds;

	list_for_each_entry(dev, &dsync_registry, node)
		list_for_each_entry(ds, &dev->instances, node)
			if (ds->data->bdev->bd_dev == disk ||
			    (ds->meta_dev &&
			     ds->meta_dev->bdev->bd_dev == disk))
				return true;
	return false;
}

/* What keeps a hold from its origin: a text, or NULL. */
static char *refuse_hold(struct dsync_device *dev, struct dsync_hold *hold,
			 const struct dsync_origin *origin)
{
	dev_t store = hold->store->bdev->bd_dev;
	struct dsync_hold *other;
	struct dsync_origin now;
	char *error = look_at_origin(dev, &now);

	if (error)
		return error;
	if (now.data != origin->data ||
	    now.geo.sectors != origin->geo.sectors ||
	    now.geo.block_shift != origin->geo.block_shift)
		return "ORIGIN has just got another table";
	if (is_used(store) || dsync_registry_is_store(store))
		return "COW_DEV is in use by a dsync device or a hold";
	other = rcu_dereference_protected(dev->epochs.hold, 1);
	if (other && READ_ONCE(other->state) < DSYNC_HOLD_ENDED)
		return "ORIGIN has a hold already";
	return NULL;
}

/**
 * dsync_registry_attach() - makes a hold that of its origin
 * @hold: the hold
 * @origin: what it was made for
 *
 * Return: a text for ti->error, or NULL if all is fine.
 *
 * Context: constructor; takes the registry lock and the epochs lock.
 */
char *dsync_registry_attach(struct dsync_hold *hold,
			    const struct dsync_origin *origin)
{
	struct dsync_device *dev;
	char *error;

	mutex_lock(&dsync_registry_lock);
	dev = find_origin(origin->dev);
	error = refuse_hold(dev, hold, origin);
	if (!error) {
		/* A former one is over, but for some not yet out of use. */
		if (rcu_access_pointer(dev->epochs.hold))
			synchronize_rcu();
		part(dev);
		list_add(&hold->node, &holds);
		mutex_lock(&dev->epochs.lock);
		hold->origin = origin->dev;
		hold->ep = &dev->epochs;
		rcu_assign_pointer(dev->epochs.hold, hold);
		mutex_unlock(&dev->epochs.lock);
	}
	mutex_unlock(&dsync_registry_lock);
	return error;
}

/**
 * dsync_registry_detach() - takes a hold from its origin
 * @hold: the hold; its store stays taken
 *
 * Context: destructor; takes the registry lock and the epochs lock. RCU readers
 * may still use the hold.
 */
void dsync_registry_detach(struct dsync_hold *hold)
{
	mutex_lock(&dsync_registry_lock);
	if (hold->ep)
		part(container_of(hold->ep, struct dsync_device, epochs));
	mutex_unlock(&dsync_registry_lock);
}

/**
 * dsync_registry_forget() - lets the store of a hold go
 * @hold: the hold, detached
 *
 * Context: destructor; takes the registry lock.
 */
void dsync_registry_forget(struct dsync_hold *hold)
{
	mutex_lock(&dsync_registry_lock);
	list_del(&hold->node);
	mutex_unlock(&dsync_registry_lock);
}
