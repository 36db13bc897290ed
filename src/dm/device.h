/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Device-mapper devices with one target, over libdevmapper.
 *
 * Silent: what libdevmapper would print is carried in struct err.  Works with
 * udev (waits for it on create and remove, keeps its rules from scanning what
 * is a guest's content) and without.  Not for several threads at once.
 *
 * Codes that matter: -ENXIO no such device, -EBUSY in use, -EEXIST name taken,
 * -EOPNOTSUPP the kernel has no such target.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/name.h"

struct err;

#define DEVICE_TYPE_SIZE 16     /* the kernel's DM_MAX_TYPE_NAME */
#define DEVICE_PARAMS_SIZE 4096 /* more than any line of ours */

struct device_info {
	bool exists;
	bool suspended;
	bool read_only;
	uint32_t open_count; /* who has it open: QEMU, other devices, ... */
	dev_t dev;
	char uuid[DISK_UUID_SIZE];
};

/* One line of "dmsetup table" or "dmsetup status". */
struct device_line {
	uint64_t start_sectors;
	uint64_t length_sectors;
	char type[DEVICE_TYPE_SIZE];
	char params[DEVICE_PARAMS_SIZE];
	bool read_only; /* to be loaded so */
};

/* A device that is not there is no failure: ->exists is false. */
int device_info(const char *name, struct device_info *ret_info,
		struct err *err);
int device_table(const char *name, struct device_line *ret_line,
		 struct err *err);
/* Does not flush first: never waits for a suspended device. */
int device_status(const char *name, struct device_line *ret_line,
		  struct err *err);

/* Creates, loads and resumes; the node is there on return. */
int device_create(const char *name, const char *uuid,
		  const struct device_line *table, struct err *err);
/* Loads an inactive table; the next suspend and resume brings it in. */
int device_load(const char *name, const struct device_line *table,
		struct err *err);
/* -EBUSY if it is open, after a second of retries (udev looks at devices). */
int device_remove(const char *name, struct err *err);

/* Also for one that is not suspended: no failure. */
int device_resume(const char *name, struct err *err);
int device_message(const char *name, const char *message, struct err *err);

/*
 * True if the kernel has the target @type, or could load its module. A new
 * target comes with its module; asking for it by name is what loads it.
 */
bool device_target_exists(const char *type);
