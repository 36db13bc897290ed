/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the admin may set, see dsync-vm.conf(5). A file that is not there sets
 * nothing. */
#pragma once

#include <stdint.h>

struct err;

#define PLACE_CONFIG "/etc/dsync-vm/dsync-vm.conf"

/* How large a hold's file may grow, unless the configuration says otherwise. */
#define CONFIG_HOLD_LIMIT_BYTES (UINT64_C(16) << 30)

/* One block: with less, no hold could be made. */
#define CONFIG_HOLD_MIN_BYTES 4096

/* What is set for one disk. */
struct config {
	char *metadata; /* device for its metadata; NULL: a file */
	char *hold;     /* device for its hold's store; NULL: a file */
	uint64_t hold_limit_bytes; /* of that file */
};

/*
 * What @path (PLACE_CONFIG) sets for the disk @target of a domain, which it may
 * call by name or uuid. -EINVAL: the file has a line that is not understood.
 * @ret_config is freed by config_clear(), also after a failure.
 */
int config_read(const char *path, const char *domain_name,
		const char *domain_uuid, const char *target,
		struct config *ret_config, struct err *err);

void config_clear(struct config *config);
#include "base/cleanup.h"
#define _cleanup_config_ _cleanup_(config_clear)
