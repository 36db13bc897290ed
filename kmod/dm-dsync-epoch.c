// SPDX-License-Identifier: GPL-2.0-only
/*
 * The epochs of a device: what is dirty, since when, and who may switch.
 *
 * Notes on the design of this file:
 *
 *	            epoch_begin U                     epoch_end U
 *	 no epoch ----------------> U is open -----------------------> no epoch
 *	   open                     dirty := {}     frozen := {}         open
 *	     ^                      frozen := dirty
 *	     |                         |  epoch_abort U
 *	     +-------------------------+  dirty := dirty + frozen
 *
 * The dirty and the frozen bitmap change roles at epoch_begin. As frozen is
 * empty unless an epoch is open, that is all there is to do: four pointers
 * move, whatever the size of the disk, and nothing is allocated.
 *
 * That cut is only sound while no write is between its mark and its
 * completion. Device mapper grants this from postsuspend to preresume;
 * @suspended mirrors it under our own mutex, because dm_suspended() is still
 * true when the queued writes of a resume already flow.
 *
 * A program that repeats a message, as its first answer got lost, gets the
 * same answer again; a message about any other epoch is ESTALE.
 *
 * Lock order: see dm-dsync-meta.c. A resume takes the registry lock and that of
 * the epochs. So whoever holds one must not wait for I/O to a suspended device:
 * no copy from or to user space, and no memory other than GFP_NOIO. I/O to
 * META_DEV ends, or is given up in time. map() takes no lock at all.
 */
#include <linux/errno.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/string.h>

#include "dm-dsync-bitmap.h"
#include "dm-dsync-epoch.h"
#include "dm-dsync-hold.h"
#include "dm-dsync-meta.h"

/*-----------------------------------------------------------------*/

/**
 * dsync_sets_create() - makes the bitmaps for a device, with all blocks dirty
 * @geo: how the device is cut
 *
 * Return: the sets, or NULL without memory.
 *
 * Context: may sleep.
 */
struct dsync_sets *dsync_sets_create(const struct dsync_geometry *geo)
{
	struct dsync_sets *sets = kzalloc(sizeof(*sets), GFP_KERNEL);
	int i;

	if (!sets)
		return NULL;
	sets->geo = *geo;
	for (i = 0; i < DSYNC_NR_SETS; i++) {
		sets->map[i] = dsync_bitmap_create(dsync_nr_blocks(geo));
		if (!sets->map[i])
			goto err_destroy_sets;
	}
	dsync_bitmap_fill(sets->map[DSYNC_DIRTY]);
	return sets;

err_destroy_sets:
	dsync_sets_destroy(sets);
	return NULL;
}

/**
 * dsync_sets_destroy() - frees the bitmaps
 * @sets: not used by anybody any more; may be NULL or half built
 *
 * Context: may sleep.
 */
void dsync_sets_destroy(struct dsync_sets *sets)
{
	int i;

	if (!sets)
		return;
	for (i = 0; i < DSYNC_NR_SETS; i++)
		dsync_bitmap_destroy(sets->map[i]);
	kfree(sets);
}

/* Moves everything into larger sets; what they have more becomes dirty. */
static void grow_sets(struct dsync_sets *into, struct dsync_sets *from)
{
	u64 first = (u64)from->geo.sectors >> from->geo.block_shift;
	struct dsync_bitmap *dirty = into->map[DSYNC_DIRTY];
	int i;

	into->ids = from->ids;
	into->gap = from->gap;
	into->suspect = from->suspect;
	for (i = 0; i < DSYNC_NR_SETS; i++)
		dsync_bitmap_move(into->map[i], from->map[i]);
	dsync_bitmap_mark(dirty, first, dirty->nr_bits - first);
}

/*-----------------------------------------------------------------*/

/**
 * dsync_epochs_init() - prepares for a device that is not yet in use
 * @ep: becomes epochs without any sets; dsync_epochs_adopt() brings them
 */
void dsync_epochs_init(struct dsync_epochs *ep)
{
	memset(ep, 0, sizeof(*ep));
	mutex_init(&ep->lock);
}

/**
 * dsync_epochs_exit() - ends it
 * @ep: not used by anybody any more
 *
 * Context: may sleep.
 */
void dsync_epochs_exit(struct dsync_epochs *ep)
{
	dsync_sets_destroy(ep->sets);
	mutex_destroy(&ep->lock);
}

/**
 * dsync_epochs_refuse() - says why a new table cannot take over
 * @ep: the epochs of the live table
 * @geo: how the new table cuts the device
 * @same_meta: it has the same META_DEV
 *
 * Return: a text for ti->error, or NULL if the table is fine. An epoch may
 * begin or end at any time, so what that says is only good advice.
 *
 * Context: under the registry lock, so that nobody exchanges the sets. The
 * epochs lock is not taken, as it may be held for as long as META_DEV hangs.
 */
char *dsync_epochs_refuse(struct dsync_epochs *ep,
			  const struct dsync_geometry *geo, bool same_meta)
{
	const struct dsync_sets *sets = ep->sets;

	if (sets->geo.block_shift != geo->block_shift)
		return "BLOCK_SECTORS differs from the live table's; remove the device first";
	if (uuid_is_null(&sets->ids.open))
		return NULL;
	if (sets->geo.sectors != geo->sectors)
		return "Cannot resize during an epoch; end or abort it first";
	if (!same_meta)
		return "Cannot change META_DEV during an epoch; end or abort it first";
	return NULL;
}

/**
 * dsync_epochs_orphan() - notes that the metadata goes
 * @ep: the epochs, without an owner now
 *
 * Context: takes the epochs lock.
 */
void dsync_epochs_orphan(struct dsync_epochs *ep)
{
	mutex_lock(&ep->lock);
	ep->meta = NULL;
	mutex_unlock(&ep->lock);
}

/**
 * dsync_epochs_adopt() - carries the epochs over to a new table
 * @ep: the epochs, suspended
 * @fresh: sets that fit the new table, to begin with; now owned by @ep
 * @meta: the metadata of the new table, or NULL
 * @known: no write was missed since the sets of @ep were last in use
 *
 * A grown device keeps all that is known, and its new blocks are dirty. A
 * device that shrank starts anew and is lost.
 *
 * Return: sets that nobody needs any more, for dsync_sets_destroy().
 *
 * Context: takes the epochs lock; needs no memory; cannot fail.
 */
struct dsync_sets *dsync_epochs_adopt(struct dsync_epochs *ep,
				      struct dsync_sets *fresh,
				      struct dsync_meta *meta, bool known)
{
	const struct dsync_geometry *old, *new = &fresh->geo;
	struct dsync_sets *unused = fresh;

	mutex_lock(&ep->lock);
	ep->meta = meta;
	old = known ? &ep->sets->geo : NULL;
	if (known && old->sectors == new->sectors)
		goto out_unlock;

	if (known && old->sectors < new->sectors)
		grow_sets(fresh, ep->sets);
	else if (known)
		fresh->gap = DSYNC_LOST;
	unused = ep->sets;
	ep->sets = fresh;
	ep->switches++;

out_unlock:
	mutex_unlock(&ep->lock);
	return unused;
}

/**
 * dsync_epochs_suspended() - notes that no I/O is under way
 * @ep: the epochs
 *
 * Context: postsuspend; takes the epochs lock.
 */
void dsync_epochs_suspended(struct dsync_epochs *ep)
{
	mutex_lock(&ep->lock);
	ep->suspended = true;
	ep->suspends++;
	mutex_unlock(&ep->lock);
}

/**
 * dsync_epochs_resumed() - notes that I/O is about to flow
 * @ep: the epochs
 *
 * Context: preresume; takes the epochs lock.
 */
void dsync_epochs_resumed(struct dsync_epochs *ep)
{
	mutex_lock(&ep->lock);
	ep->suspended = false;
	mutex_unlock(&ep->lock);
}

/*-----------------------------------------------------------------*/

/* Whether an id was used up, so that beginning it again makes no sense. */
static bool is_stale(const struct dsync_ids *ids, const uuid_t *id)
{
	return !uuid_is_null(&ids->open) || uuid_equal(id, &ids->epoch) ||
	       uuid_equal(id, &ids->ended) || uuid_equal(id, &ids->aborted);
}

static int cut(struct dsync_epochs *ep, const uuid_t *id)
{
	struct dsync_sets *sets = ep->sets;
	struct dsync_ids next = sets->ids;
	int r;

	if (uuid_equal(id, &next.open))
		return 0;
	if (!ep->suspended)
		return -EBUSY;
	if (is_stale(&next, id))
		return -ESTALE;

	next.previous = next.epoch;
	next.epoch = *id;
	next.open = *id;
	r = ep->meta ? dsync_meta_begin(ep->meta, &next) : 0;
	if (r)
		return r;
	sets->ids = next;
	swap(sets->map[DSYNC_DIRTY], sets->map[DSYNC_FROZEN]);
	swap(sets->map[DSYNC_SEED], sets->map[DSYNC_SEEDED]);
	dsync_hold_arm(ep);
	ep->switches++;
	return 0;
}

static int drop(struct dsync_epochs *ep, const uuid_t *id)
{
	struct dsync_sets *sets = ep->sets;
	struct dsync_ids next = sets->ids;
	int r;

	if (!uuid_equal(id, &next.open))
		return uuid_equal(id, &next.ended) ? 0 : -ESTALE;

	next.ended = *id;
	next.open = uuid_null;
	r = ep->meta ? dsync_meta_end(ep->meta, &next) : 0;
	if (r)
		return r;
	sets->ids = next;
	sets->gap = DSYNC_CLEAN;
	sets->suspect = 0;
	dsync_hold_end(ep);
	dsync_bitmap_clear(sets->map[DSYNC_FROZEN]);
	dsync_bitmap_clear(sets->map[DSYNC_SEEDED]);
	ep->switches++;
	return 0;
}

static int undo(struct dsync_epochs *ep, const uuid_t *id)
{
	struct dsync_sets *sets = ep->sets;

	if (!uuid_equal(id, &sets->ids.open))
		return uuid_equal(id, &sets->ids.aborted) ? 0 : -ESTALE;

	dsync_hold_end(ep);
	if (ep->meta)
		dsync_meta_abort(ep->meta, sets->map[DSYNC_FROZEN]);
	dsync_bitmap_merge(sets->map[DSYNC_DIRTY], sets->map[DSYNC_FROZEN]);
	dsync_bitmap_clear(sets->map[DSYNC_SEEDED]);
	sets->ids.aborted = *id;
	sets->ids.open = uuid_null;
	sets->ids.epoch = sets->ids.previous;
	ep->switches++;
	return 0;
}

/* The last epoch may still be owed to META_DEV. */
static int cut_when_settled(struct dsync_epochs *ep, const uuid_t *id)
{
	int r;

	while (ep->suspended && ep->meta && dsync_meta_is_owed(ep->meta)) {
		mutex_unlock(&ep->lock);
		r = dsync_meta_settle(ep->meta);
		mutex_lock(&ep->lock);
		if (r)
			return r;
	}
	return cut(ep, id);
}

/**
 * dsync_epoch_begin() - makes the cut: what is dirty becomes frozen
 * @ep: the epochs
 * @id: names the new epoch; not nil
 *
 * Return: 0, also if that epoch is open already; -EBUSY if the device is not
 * suspended; -ESTALE if another epoch is open or @id was used before; or what
 * went wrong with META_DEV, such as -ETIMEDOUT: then nothing has changed.
 *
 * Context: takes the epochs lock; needs no memory; may wait for META_DEV.
 */
int dsync_epoch_begin(struct dsync_epochs *ep, const uuid_t *id)
{
	int r;

	mutex_lock(&ep->lock);
	r = cut_when_settled(ep, id);
	mutex_unlock(&ep->lock);
	return r;
}

/**
 * dsync_epoch_end() - drops the frozen set: all of it is safe elsewhere
 * @ep: the epochs
 * @id: the open epoch
 *
 * Return: 0, also if @id was the last epoch to end; else -ESTALE, or what went
 * wrong with META_DEV: then nothing has changed.
 *
 * Context: takes the epochs lock, may sleep. I/O may be under way.
 */
int dsync_epoch_end(struct dsync_epochs *ep, const uuid_t *id)
{
	int r;

	mutex_lock(&ep->lock);
	r = drop(ep, id);
	mutex_unlock(&ep->lock);
	return r;
}

/**
 * dsync_epoch_abort() - undoes the cut: what is frozen becomes dirty again
 * @ep: the epochs
 * @id: the open epoch
 *
 * Return: 0, also if @id was the last epoch to be aborted; else -ESTALE.
 *
 * Context: takes the epochs lock, may sleep. I/O may be under way.
 */
int dsync_epoch_abort(struct dsync_epochs *ep, const uuid_t *id)
{
	int r;

	mutex_lock(&ep->lock);
	r = undo(ep, id);
	mutex_unlock(&ep->lock);
	return r;
}

/* Whether there was any epoch, ever */
static bool has_begun(const struct dsync_ids *ids)
{
	return !uuid_is_null(&ids->open) || !uuid_is_null(&ids->ended) ||
	       !uuid_is_null(&ids->aborted);
}

/**
 * dsync_epochs_clear() - empties the dirty set, as the paper does
 * @ep: the epochs
 *
 * Return: 0, or -EBUSY if a write, an epoch or META_DEV could lose blocks by
 * it.
 *
 * Context: takes the epochs lock, may sleep.
 */
int dsync_epochs_clear(struct dsync_epochs *ep)
{
	int r = -EBUSY;

	mutex_lock(&ep->lock);
	if (ep->suspended && !ep->meta && !has_begun(&ep->sets->ids)) {
		dsync_bitmap_clear(ep->sets->map[DSYNC_DIRTY]);
		r = 0;
	}
	mutex_unlock(&ep->lock);
	return r;
}

/*-----------------------------------------------------------------*/

static enum dsync_state state_of(const struct dsync_epochs *ep)
{
	if (ep->sets->gap != DSYNC_LOST && ep->meta &&
	    dsync_meta_is_unfit(ep->meta))
		return DSYNC_DEGRADED;
	return ep->sets->gap;
}

static void summarize(const struct dsync_epochs *ep, struct dsync_summary *sum)
{
	const struct dsync_bitmap *dirty = ep->sets->map[DSYNC_DIRTY];
	const struct dsync_bitmap *frozen = ep->sets->map[DSYNC_FROZEN];

	sum->state = state_of(ep);
	sum->epoch = ep->sets->ids.epoch;
	sum->open = ep->sets->ids.open;
	sum->suspect = ep->sets->suspect;
	sum->suspends = ep->suspends;
	if (ep->meta)
		dsync_meta_summarize(ep->meta, sum);
	sum->dirty = dsync_bitmap_count(dirty);
	sum->frozen = dsync_bitmap_count(frozen);
	sum->coarse_marks = atomic_long_read(&dirty->coarse) +
			    atomic_long_read(&frozen->coarse);
}

/**
 * dsync_epochs_summary() - collects what the status line shows
 * @ep: the epochs
 * @sum: becomes the summary; only if there are sets
 *
 * Return: false before the first resume, when there are no sets.
 *
 * Context: takes the epochs lock, may sleep.
 */
bool dsync_epochs_summary(struct dsync_epochs *ep, struct dsync_summary *sum)
{
	bool begun;

	mutex_lock(&ep->lock);
	begun = ep->sets;
	if (begun)
		summarize(ep, sum);
	mutex_unlock(&ep->lock);
	return begun;
}
