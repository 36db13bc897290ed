/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A domain may be called almost anything, a device may not: of what
 * libdevmapper and udev take without escaping only [A-Za-z0-9._-] is used.  A
 * target never has a dash, so two domains never share a name.
 */
#include "base/name.h"

#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "base/io.h"

#define PREFIX "dsync-"
#define UUID_PREFIX "DSYNC-"

static bool is_plain(const char *text)
{
	static const char plain[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
				    "abcdefghijklmnopqrstuvwxyz"
				    "0123456789._-";

	return text[0] && strspn(text, plain) == strlen(text);
}

static bool is_target(const char *text)
{
	return is_plain(text) && !strchr(text, '-') && strlen(text) <= 32;
}

int disk_name(char ret_name[DISK_NAME_SIZE], const char *domain_name,
	      const char *domain_uuid, const char *target, struct err *err)
{
	int n;

	if (!is_target(target))
		return fail(err, -EINVAL, "%s: not the name of a disk's target",
			    target);
	if (!uuid_valid(domain_uuid))
		return fail(err, -EINVAL, "%s: not a domain's uuid",
			    domain_uuid);
	if (is_plain(domain_name)) {
		n = snprintf(ret_name, DISK_NAME_SIZE, PREFIX "%s-%s",
			     domain_name, target);
		if (n < DISK_NAME_SIZE)
			return 0;
	}
	snprintf(ret_name, DISK_NAME_SIZE, PREFIX "%s-%s", domain_uuid, target);
	return 0;
}

int disk_uuid(char ret_uuid[DISK_UUID_SIZE], const char *domain_uuid,
	      const char *target, struct err *err)
{
	if (!uuid_valid(domain_uuid) || !is_target(target))
		return fail(err, -EINVAL, "%s, %s: not a domain and a disk",
			    domain_uuid, target);
	snprintf(ret_uuid, DISK_UUID_SIZE, UUID_PREFIX "%s-%s", domain_uuid,
		 target);
	return 0;
}

const char *disk_uuid_target(const char *uuid)
{
	return uuid + strlen(UUID_PREFIX) + UUID_SIZE - 1 + strlen("-");
}

char *disk_uuid_state_dir(const char *uuid)
{
	return io_format(PLACE_STATE "/%.*s", UUID_SIZE - 1,
			 uuid + strlen(UUID_PREFIX));
}

const char *disk_name_of_path(const char *path)
{
	const char *name;

	if (!path || strncmp(path, PLACE_MAPPER, strlen(PLACE_MAPPER)) != 0)
		return NULL;
	name = path + strlen(PLACE_MAPPER);
	if (strncmp(name, PREFIX, strlen(PREFIX)) != 0 || !is_plain(name))
		return NULL;
	return strlen(name) < DISK_NAME_SIZE ? name : NULL;
}
