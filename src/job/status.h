/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Status: what is tracked, how much of it has changed, and what each target
 * still misses.  Reads only, takes no lock, disturbs nothing.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "dm/tracker.h"
#include "repo/pending.h"

struct status_target {
	char *location;
	char newest[POINT_SIZE]; /* "": none yet */
	uint64_t pending_bytes;  /* beside what is dirty */
};

struct status_disk {
	char *domain;
	char *disk;
	bool active; /* the domain runs */
	bool up;     /* its device is there: ->tracker is valid */
	bool suspended;
	struct tracker_status tracker;
	char *metadata; /* path; NULL while it is up: in memory only */
	struct status_target *targets;
	size_t nr_targets;
};

struct status_report {
	struct status_disk *disks;
	size_t nr_disks;
};

/* Of the domain @name, or of all if it is NULL. */
int status_run(const char *connect, const char *name,
	       struct status_report *ret_report, struct err *err);
void status_report_free(struct status_report *report);
