/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Status: what is tracked, how much of it has changed, and what each target
 * still misses.  Reads only, takes no lock, disturbs nothing.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#include "base/err.h"
#include "dm/tracker.h"
#include "repo/point.h"

struct config;

/* One target of one disk: one that it was backed up to, or the default one. */
struct status_target {
	char *name; /* as configured, or NULL */
	char *location;
	bool watched;            /* its age matters: see dsync-vm-check(8) */
	char newest[POINT_SIZE]; /* "": none yet */
	time_t newest_time;
	bool torn; /* a mirror that a run writes to, or did until it failed */
	uint64_t warning_s, critical_s;
	bool pending_known;
	uint64_t pending_bytes; /* what the next backup to it will read */
};

enum status_state {
	STATUS_NOT_ATTACHED,
	STATUS_NEXT_START, /* attached, which takes effect then */
	STATUS_STOPPED,    /* the domain does not run and has no device */
	STATUS_MISSING,    /* it runs without the device it should have */
	STATUS_SUSPENDED,
	STATUS_UP, /* as the tracker says */
};

struct status_disk {
	char *domain;
	char *disk;
	bool active; /* the domain runs */
	bool busy;   /* a backup of it, or a restore in place, is running */
	enum status_state state;
	char device[DISK_NAME_SIZE]; /* "": it has none */
	char *reason;    /* NOT_ATTACHED: why it cannot be, or NULL */
	char *restoring; /* half restored: that it is, and what to do; or NULL */
	char *handed_over; /* the host that the domain went to; or NULL */
	struct tracker_status tracker; /* UP and SUSPENDED only */
	char *metadata;    /* path; NULL while it is up: in memory only */
	bool hold_is_file; /* which wants room, see status_report */
	struct status_target *targets;
	size_t nr_targets;
};

/* Domains in libvirt's order, the disks of each one after the other. */
struct status_report {
	struct status_disk *disks;
	size_t nr_disks;
	size_t nr_domains;
	time_t now;
	struct err misconfigured; /* dsync-vm.conf is not understood */
	uint64_t hold_room_bytes; /* what all holds of a backup may take */
};

/*
 * Of the domain @name, attached or not, or of all that are attached if it is
 * NULL. @ret_report is to be freed also after a failure, and has what was
 * found until then.
 */
int status_run(const char *connect, const char *name,
	       struct status_report *ret_report, struct err *err);
void status_report_free(struct status_report *report);

/* True if the device is there, and ->tracker valid. */
static inline bool status_is_up(const struct status_disk *disk)
{
	return disk->state == STATUS_UP || disk->state == STATUS_SUSPENDED;
}

/* One word: "clean", "stopped", "half-restored", "handed-over", ... */
const char *status_word(const struct status_disk *disk);

uint64_t status_size_bytes(const struct status_disk *disk);
uint64_t status_dirty_bytes(const struct status_disk *disk);
uint64_t status_suspect_bytes(const struct status_disk *disk);

/* How old the newest point is: 0 fine, 1 for a warning, 2 critical. */
int status_overdue(const struct status_target *target, time_t now);

/* Fills in the targets of a disk, in the order of their locations. For
 * status.c alone. */
int status_read_targets(struct status_disk *disk, const char *domain_uuid,
			const struct config *config, struct err *err);
