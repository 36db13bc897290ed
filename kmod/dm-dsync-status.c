// SPDX-License-Identifier: GPL-2.0-only
/*
 * What `dmsetup status` and `dmsetup table` print.
 *
 * The first seven words have fixed places. After them come pairs of a key
 * and a value, so that more can be added; a program must skip what it does
 * not know. The counters of parts that a table does not have are zero.
 */
#include <linux/device-mapper.h>
#include <linux/uuid.h>

#include "dm-dsync-hold.h"
#include "dm-dsync.h"
#include "uapi/dsync.h"

static const char *const states[] = {
	[DSYNC_CLEAN] = DSYNC_STATE_CLEAN,
	[DSYNC_RECOVERED] = DSYNC_STATE_RECOVERED,
	[DSYNC_DEGRADED] = DSYNC_STATE_DEGRADED,
	[DSYNC_LOST] = DSYNC_STATE_LOST,
};

static const char *const hold_states[] = {
	[DSYNC_HOLD_READY] = DSYNC_HOLD_STATE_READY,
	[DSYNC_HOLD_ARMED] = DSYNC_HOLD_STATE_ARMED,
	[DSYNC_HOLD_INVALID] = DSYNC_HOLD_STATE_INVALID,
};

/* Prints an id or, for none, a dash. */
static const char *print_id(const uuid_t *id, char *buf)
{
	if (uuid_is_null(id))
		return "-";
	snprintf(buf, UUID_STRING_LEN + 1, "%pUb", id);
	return buf;
}

static void status_info(struct dsync *ds, char *result, unsigned int maxlen)
{
	char epoch[UUID_STRING_LEN + 1], open[UUID_STRING_LEN + 1];
	struct dsync_summary sum = {.dirty = dsync_nr_blocks(&ds->geo)};
	char uuid[UUID_STRING_LEN + 1];
	struct dsync_hold_summary hold = {0};
	const char *hold_state = DSYNC_HOLD_STATE_NONE;
	size_t sz = 0;

	dsync_epochs_summary(ds->epochs, &sum);
	if (dsync_hold_status(ds->epochs, &hold))
		hold_state = hold_states[hold.state];
	else
		memset(&hold, 0, sizeof(hold));
	DMEMIT("%s %llu %llu %s %llu %llu %llu", states[sum.state],
	       1ULL << ds->geo.block_shift, dsync_nr_blocks(&ds->geo),
	       print_id(&sum.epoch, epoch), sum.dirty, sum.frozen, sum.suspect);
	DMEMIT(" open %s hold %s suspends %llu", print_id(&sum.open, open),
	       hold_state, sum.suspends);
	DMEMIT(" coarse_marks %llu", sum.coarse_marks);
	DMEMIT(" uuid %s active_regions %u", print_id(&sum.uuid, uuid),
	       sum.active_regions);
	DMEMIT(" intent_commits %llu metadata_writes %llu metadata_failures %llu",
	       sum.intent_commits, sum.metadata_writes, sum.metadata_failures);
	DMEMIT(" hold_copies %llu hold_used %llu hold_size %llu", hold.copies,
	       hold.used, hold.size);
}

static const char *meta_name(const struct dsync *ds)
{
	return ds->meta_dev ? ds->meta_dev->name : "-";
}

static void status_table(struct dsync *ds, char *result, unsigned int maxlen)
{
	unsigned int i;
	size_t sz = 0;

	DMEMIT("%s %s %llu", ds->data->name, meta_name(ds),
	       1ULL << ds->geo.block_shift);
	if (!ds->options.given)
		return;
	DMEMIT(" %u", 2 * hweight32(ds->options.given));
	for (i = 0; i < DSYNC_NR_OPTIONS; i++)
		if (ds->options.given & BIT(i))
			DMEMIT(" %s %u", dsync_option_name(i),
			       ds->options.value[i]);
}

static void status_ima(struct dm_target *ti, char *result, unsigned int maxlen)
{
	struct dsync *ds = ti->private;
	unsigned int i;
	size_t sz = 0;

	DMEMIT_TARGET_NAME_VERSION(ti->type);
	DMEMIT(",data_dev=%s,meta_dev=%s,block_sectors=%llu", ds->data->name,
	       meta_name(ds), 1ULL << ds->geo.block_shift);
	for (i = 0; i < DSYNC_NR_OPTIONS; i++)
		DMEMIT(",%s=%u", dsync_option_name(i), ds->options.value[i]);
	DMEMIT(";");
}

/**
 * dsync_status() - prints the status line, the table line or the measurement
 * @ti: the target
 * @type: which of them
 * @flags: not used: nothing is ever written for this
 * @result: gets the text
 * @maxlen: its size
 *
 * Context: may sleep; takes the epochs lock.
 */
void dsync_status(struct dm_target *ti, status_type_t type, unsigned int flags,
		  char *result, unsigned int maxlen)
{
	switch (type) {
	case STATUSTYPE_INFO:
		status_info(ti->private, result, maxlen);
		break;
	case STATUSTYPE_TABLE:
		status_table(ti->private, result, maxlen);
		break;
	case STATUSTYPE_IMA:
		status_ima(ti, result, maxlen);
		break;
	}
}
