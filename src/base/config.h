/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the admin may set, see dsync-vm.conf(5). A file that is not there sets
 * nothing. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/keep.h"

struct err;

#define PLACE_CONFIG "/etc/dsync-vm/dsync-vm.conf"

/* How large a hold's file may grow, unless the configuration says otherwise. */
#define CONFIG_HOLD_LIMIT_BYTES (UINT64_C(16) << 30)

/* One block: with less, no hold could be made. */
#define CONFIG_HOLD_MIN_BYTES 4096

#define CONFIG_FREEZE_TIMEOUT_S 10 /* what Windows' VSS allows a freeze */
#define CONFIG_FREEZE_TIMEOUT_MAX_S 600

/* How long a run keeps another one of the same domain waiting. */
#define CONFIG_TURN_S (30 * 60)

/* A day and a little: a run may be late. Two of them, and it is no accident. */
#define CONFIG_WARNING_S (26 * 3600)
#define CONFIG_CRITICAL_S (50 * 3600)

/* Whether the guest's filesystems are frozen for the instant of a backup. */
enum config_freeze {
	CONFIG_FREEZE_NO,
	CONFIG_FREEZE_YES,     /* a guest that cannot be is a warning */
	CONFIG_FREEZE_REQUIRE, /* and here a failure */
};

/* [target NAME] */
struct config_target {
	char *name;
	char *location; /* absolute path or URI */
	uint64_t warning_s, critical_s;
	uint64_t bwlimit_bytes; /* a second; 0: none */
};

/* What is set, as far as it concerns one domain and one disk of it. */
struct config {
	char *metadata; /* device for its metadata; NULL: a file */
	char *hold;     /* device for its hold's store; NULL: a file */
	uint64_t hold_limit_bytes; /* of that file */
	struct keep keep;          /* points to keep; all 0: every one */
	char *target;              /* name of the default one, or NULL */
	enum config_freeze freeze;
	unsigned int freeze_timeout_s;
	uint64_t turn_s;
	uint64_t warning_s, critical_s; /* unless the target has its own */
	struct config_target *targets;
	size_t nr_targets;
	bool by_name; /* there are [domain]s, which know it by name only */
};

/*
 * What @path (PLACE_CONFIG) sets for the disk @target (NULL: none) of a domain
 * (NULL: of those that no [domain] is about). [metadata] and [hold] may call it
 * by name or uuid, [domain] by a pattern of its name. -EINVAL: the file has a
 * line that is not understood.
 * @ret_config is freed by config_clear(), also after a failure.
 */
int config_read(const char *path, const char *domain_name,
		const char *domain_uuid, const char *target,
		struct config *ret_config, struct err *err);

void config_clear(struct config *config);
#include "base/cleanup.h"
#define _cleanup_config_ _cleanup_(config_clear)

/* The target called @name, or NULL. */
const struct config_target *config_target(const struct config *config,
					  const char *name);

/* The target at @location, or NULL. */
const struct config_target *config_target_at(const struct config *config,
					     const char *location);

/* "yes", "no" or "require". */
bool config_freeze_parse(const char *text, enum config_freeze *ret_freeze);
