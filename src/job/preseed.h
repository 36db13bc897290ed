/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Pre-seeding: the disks of a domain are brought to the host that it is to move
 * to while it runs, pass by pass, until what is left fits into the time that
 * the guest may stand; then, if that is asked for, it moves (switchover.h).
 *
 * What was brought stays there and is known: a preseed that failed goes on
 * where it was, and one that is repeated brings what was written since.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "job/switchover.h"

struct err;
struct ui;

struct preseed_place {
	const char *disk; /* vda */
	const char *path; /* over there */
};

enum preseed_end {
	PRESEED_ONLY,    /* the domain stays */
	PRESEED_MIGRATE, /* it moves as it runs */
	PRESEED_OFFLINE, /* it is shut down, if it runs, and is defined there */
};

struct preseed_request {
	const char *connect; /* libvirt here; NULL: default */
	const char *domain;
	const char *uri;                    /* libvirt there: qemu+ssh:// */
	const struct preseed_place *places; /* of disks that have another path */
	size_t nr_places;
	bool create;    /* files that are not there */
	bool overwrite; /* what is on the disks there */
	enum preseed_end end;
	uint64_t max_downtime_ms;
	unsigned int max_passes;
	uint64_t bwlimit_bytes; /* a second, of the passes; 0: none */
	bool dry_run;
};

/* One pass. */
struct preseed_pass {
	unsigned int number;
	uint64_t sent_bytes, spent_ms;
	uint64_t left_bytes;  /* written since, and not there */
	uint64_t estimate_ms; /* how long the guest would stand for that */
};

struct preseed_disk {
	char disk[64];
	char *path; /* over there */
	uint64_t size_bytes;
	uint64_t left_bytes; /* when this began */
	bool exists;         /* over there */
};

struct preseed_report {
	char *domain, *uri;
	struct preseed_disk *disks;
	size_t nr_disks;
	unsigned int nr_passes;
	uint64_t sent_bytes;
	struct preseed_pass last;
	uint64_t bytes_per_s; /* of the way there; 0: not known */
	bool moved;
	struct switchover_report switchover; /* if it moved as it ran */
	bool resynced; /* tracking was lost before a pass */
	bool warned;
};

/*
 * Does it; @passed, if not NULL, is told of each pass. -EAGAIN: after the
 * passes that were allowed, too much is left. @ret_report is freed by
 * preseed_report_free(), also after a failure.
 */
int preseed_run(const struct preseed_request *request,
		void (*passed)(void *opaque, const struct preseed_pass *pass),
		void *opaque, struct preseed_report *ret_report, struct ui *ui,
		struct err *err);
void preseed_report_free(struct preseed_report *report);
