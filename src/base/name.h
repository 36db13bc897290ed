/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What things are called.  A disk has one name everywhere: its device is
 * /dev/mapper/NAME, its view of changes is /proc/dsync/NAME.
 */
#pragma once

#include <stdbool.h>

#include "base/uuid.h"

#define PLACE_STATE "/var/lib/dsync-vm" /* a directory for each domain uuid */
#define PLACE_RUN "/run/dsync-vm"       /* the same, gone after a reboot */
#define PLACE_MAPPER "/dev/mapper/"

#define DISK_NAME_SIZE 128 /* the kernel's DM_NAME_LEN, zero included */
#define DISK_UUID_SIZE 129 /* the kernel's DM_UUID_LEN, zero included */

struct err;

/*
 * "dsync-DOMAIN-TARGET", where DOMAIN is the domain's name if it consists of
 * [A-Za-z0-9._-] and is short enough, else its uuid.
 */
int disk_name(char ret_name[DISK_NAME_SIZE], const char *domain_name,
	      const char *domain_uuid, const char *target, struct err *err);

/*
 * "DSYNC-DOMAIN_UUID-TARGET": the uuid that tells our devices from others of
 * the same name, and what the udev rule knows them by.
 */
int disk_uuid(char ret_uuid[DISK_UUID_SIZE], const char *domain_uuid,
	      const char *target, struct err *err);

/* The target in a @uuid that disk_uuid() made: a part of it. */
const char *disk_uuid_target(const char *uuid);

/*
 * Where what belongs to its domain is kept, in PLACE_STATE. The caller frees
 * it; NULL without memory.
 */
char *disk_uuid_state_dir(const char *uuid);

/* The name in "/dev/mapper/dsync-...", or NULL if @path is not such a one. */
const char *disk_name_of_path(const char *path);
