/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the admin may set, see dsync-vm.conf(5). A file that is not there sets
 * nothing. */
#pragma once

struct err;

#define PLACE_CONFIG "/etc/dsync-vm/dsync-vm.conf"

/*
 * The metadata device that @path (PLACE_CONFIG) gives to the disk @target of a
 * domain, which it may call by name or uuid; NULL: none. @ret_device is the
 * caller's to free. -EINVAL: the file has a line that is not understood.
 */
int config_metadata(const char *path, const char *domain_name,
		    const char *domain_uuid, const char *target,
		    char **ret_device, struct err *err);
