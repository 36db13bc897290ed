/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Restore: any point of a domain, whole or by the disk, to new files or to
 * block devices, and if asked for as a new domain; or in place, back to the
 * disks that it came from.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "repo/manifest.h"

struct ui;

struct restore_pick {
	const char *target; /* vda */
	const char *path;   /* NULL: in the request's to_dir */
};

struct restore_request {
	const char *connect;    /* libvirt URI, NULL: default */
	const char *domain;     /* name or uuid */
	const char *repository; /* path */
	const char *point;      /* full name, its beginning, or "latest" */
	const struct restore_pick *picks;
	size_t nr_picks;    /* 0: all disks */
	const char *to_dir; /* for disks without a path; NULL: none */
	const char *format; /* of files: "raw" or "qcow2" */
	const char *define; /* name of the new domain, NULL: none */
	bool in_place;      /* to the domain's own disks; nothing above then */
	bool force;         /* what is there may be overwritten */
};

struct restore_disk {
	char *target;
	char *path;         /* absolute */
	const char *format; /* "raw" or "qcow2" */
	bool device;
	uint64_t size_bytes;
	uint64_t differing_bytes; /* in place: of blocks that were written */
	uint64_t sent_bytes;      /* written with content */
	uint64_t zero_bytes;      /* zeroes, written as such or left out */
	uint64_t spent_ms;
};

struct restore_report {
	char *domain; /* as it was called at that point */
	char *nvram;  /* path of the UEFI variables, NULL: none */
	char point[POINT_SIZE];
	enum consistency consistency;
	bool in_place;
	bool defined;
	bool warned; /* something is missing: exit code 3 */
	uint64_t spent_ms;
	struct restore_disk *disks;
	size_t nr_disks;
};

/*
 * Nothing is written before everything was checked, and files get their names
 * when all disks are there. @ret_report is freed by restore_report_free(),
 * also after a failure.
 */
int restore_run(const struct restore_request *request,
		struct restore_report *ret_report, struct ui *ui,
		struct err *err);
void restore_report_free(struct restore_report *report);
