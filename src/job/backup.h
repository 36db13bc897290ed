/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Backup: the story of DESIGN.md, section 5, for one domain and one target.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "job/instant.h"
#include "repo/manifest.h"

struct seed;
struct ui;

struct backup_request {
	const char *connect; /* libvirt URI, NULL: default */
	const char *domain;  /* name or uuid */
	const char *target;  /* repository path or NBD URI */
	struct seed *seed;   /* the host that it moves to, in place of these */
	struct instant_request instant;
	uint64_t bwlimit_bytes; /* a second; 0: none */
	bool is_pass;           /* of a mirror, which goes for the next */
	uint64_t turn_s;        /* then another run that waits goes first */
	unsigned int wait_s;    /* for another run; 0: does not wait */
};

struct backup_disk {
	char target[64]; /* vda */
	uint64_t size_bytes;
	uint32_t block_bytes;
	uint64_t blocks; /* sent, or found to be there: changed, or all */
	uint64_t sent_bytes;
	uint64_t zero_bytes;
	uint64_t equal_bytes; /* not sent: the target had them already */
	uint64_t held_bytes;  /* old data that was kept, as the guest wrote */
	uint64_t spent_ms;
	bool full;        /* all of it was sent or compared */
	bool compared;    /* with what the target has, so not all was sent */
	char reason[128]; /* why it is full, "" else */
};

struct backup_report {
	char *domain, *location;
	char point[POINT_SIZE];
	enum consistency consistency;
	uint32_t freeze_ms, suspend_ms;
	uint64_t spent_ms;
	bool resynced; /* tracking was lost: exit code 4 */
	bool warned;   /* not quiesced, or a disk left out: exit code 3 */
	struct backup_disk *disks;
	size_t nr_disks;
};

/*
 * Makes a point of the domain at the target. On success all of it is durable.
 * After a failure nothing that was pending is forgotten, and the target has
 * the points that it had before. @ret_report is freed by
 * backup_report_free(), also after a failure.
 */
int backup_run(const struct backup_request *request,
	       struct backup_report *ret_report, struct ui *ui,
	       struct err *err);
void backup_report_free(struct backup_report *report);
