/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Verify: do the images still read as what was sent to them?  They are read
 * through qemu-nbd, as a restore would, and compared with the sums that were
 * made from the source.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "repo/point.h"

struct ui;

struct verify_request {
	const char *domain;     /* name or uuid */
	const char *repository; /* path */
	char **points;          /* names, their beginnings, or "latest" */
	size_t nr_points;       /* 0: the newest, unless ->all */
	bool all;
};

/* Blocks that follow one another and are not what they were. */
struct verify_range {
	char target[64]; /* vda */
	char point[POINT_SIZE];
	char image[POINT_SIZE]; /* whose image has them; "": no one's */
	uint64_t first, count;  /* blocks of 4 KiB */
};

/* One disk at one point. */
struct verify_disk {
	char target[64];
	char point[POINT_SIZE];
	bool own;            /* only what no other point has */
	uint64_t blocks;     /* compared */
	uint64_t mismatched; /* those that cannot be read included */
	uint64_t unreadable;
	uint64_t unknown; /* that there is no sum of */
	uint64_t changed; /* of a source: since the point, so not compared */
	uint64_t read_bytes;
	uint64_t spent_ms;
};

#define VERIFY_MAX_RANGES 10000 /* what is listed; more are counted */

struct verify_report {
	char *domain, *location;
	bool source; /* the domain's disks were read, not the images */
	struct verify_disk *disks;
	size_t nr_disks;
	struct verify_range *ranges;
	size_t nr_ranges;
	uint64_t mismatched, unknown; /* blocks, all disks */
	uint64_t spent_ms;
};

/* One more disk, NULL: out of memory. */
struct verify_disk *verify_add_disk(struct verify_report *report,
				    const char *target, const char *point);

/* Lists blocks of @disk that differ, of the point @image ("": no one's); in
 * ascending order. -ENOMEM. */
int verify_add_range(struct verify_report *report,
		     const struct verify_disk *disk, const char *image,
		     uint64_t first, uint64_t count);

/*
 * Verifies. The newest of the points, or one that was named, is read whole;
 * with ->all, of every other one what no newer image has. -EBADMSG: something
 * differs, or cannot be compared; then all of it was read nevertheless, and
 * the next backup sends again what differs. @ret_report is freed by
 * verify_report_free(), also after a failure.
 */
int verify_run(const struct verify_request *request,
	       struct verify_report *ret_report, struct ui *ui,
	       struct err *err);
void verify_report_free(struct verify_report *report);
