/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Its name and uuid follow from its disk's, so that whoever comes next finds
 * it. */
#include "dm/hold.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/sysmacros.h>

#include "base/err.h"
#include "dm/device.h"
#include "dm/hold-store.h"
#include "dm/loop.h"
#include "dm/stack.h"
#include "dm/tracker.h"

#define SUFFIX "-hold"
#define RANGE_CHARS 42 /* " FIRST COUNT" of 64 bits each */

static void name_of(const char *name, const char *uuid,
		    char ret_name[DISK_NAME_SIZE])
{
	bool fits = strlen(name) + sizeof(SUFFIX) <= DISK_NAME_SIZE;

	snprintf(ret_name, DISK_NAME_SIZE, "%.*s" SUFFIX,
		 (int)(DISK_NAME_SIZE - sizeof(SUFFIX)), fits ? name : uuid);
}

/* Not one of the uuids that stack_remove_domain() looks for. */
static void uuid_of(const char *uuid, char ret_uuid[DISK_UUID_SIZE])
{
	snprintf(ret_uuid, DISK_UUID_SIZE, "DSYNC-HOLD-%.*s",
		 DISK_UUID_SIZE - (int)sizeof("DSYNC-HOLD-"),
		 uuid + strlen("DSYNC-"));
}

/* Where its table says that its store is; 0 if it never had one. */
static dev_t store_of(const char *hold)
{
	unsigned int major_nr, minor_nr;
	struct device_line table;

	if (device_table(hold, &table, NULL) < 0 ||
	    sscanf(table.params, "%*s %u:%u", &major_nr, &minor_nr) != 2)
		return 0;
	return makedev(major_nr, minor_nr);
}

int hold_remove(const char *name, const char *uuid, struct err *err)
{
	char hold[DISK_NAME_SIZE], hold_uuid[DISK_UUID_SIZE];
	struct device_info info;
	dev_t store;
	int r;

	name_of(name, uuid, hold);
	uuid_of(uuid, hold_uuid);
	r = device_info(hold, &info, err);
	if (r < 0 || !info.exists)
		return r;
	if (strcmp(info.uuid, hold_uuid) != 0)
		return fail(err, -EEXIST,
			    "%s: another device has this name; rename or "
			    "remove it",
			    hold);
	store = store_of(hold);
	r = device_remove(hold, err);
	if (r == 0 && store)
		hold_store_done(uuid, store);
	return r == -ENXIO ? 0 : r;
}

int hold_create(const struct stack_disk *disk, size_t nr_holds,
		char ret_name[DISK_NAME_SIZE], struct err *err)
{
	_cleanup_loop_ struct loop store = {.fd = -1};
	struct device_line table = {.type = "dsync-hold", .read_only = true};
	char uuid[DISK_UUID_SIZE];
	struct tracker_status status;
	struct device_info origin;
	int r = hold_remove(disk->name, disk->uuid, err);

	if (r == 0)
		r = tracker_status(disk->name, &status, err);
	if (r == 0)
		r = device_info(disk->name, &origin, err);
	if (r == 0)
		r = hold_store_open(disk, status.size_sectors * 512, nr_holds,
				    &store, err);
	if (r < 0)
		return r;
	table.length_sectors = status.size_sectors;
	snprintf(table.params, sizeof(table.params), "%u:%u %u:%u",
		 major(origin.dev), minor(origin.dev), major(store.dev),
		 minor(store.dev));
	name_of(disk->name, disk->uuid, ret_name);
	uuid_of(disk->uuid, uuid);
	return device_create(ret_name, uuid, &table, err);
}

int hold_release(const char *name, const struct hold_range ranges[],
		 size_t nr_ranges, struct err *err)
{
	char message[sizeof("release") + HOLD_MAX_RANGES * RANGE_CHARS];
	size_t n = snprintf(message, sizeof(message), "release");

	if (nr_ranges == 0 || nr_ranges > HOLD_MAX_RANGES)
		return nr_ranges ? fail(err, -EINVAL, "too many ranges") : 0;
	for (size_t i = 0; i < nr_ranges; i++)
		n += snprintf(message + n, sizeof(message) - n,
			      " %" PRIu64 " %" PRIu64, ranges[i].first,
			      ranges[i].count);
	return device_message(name, message, err);
}
