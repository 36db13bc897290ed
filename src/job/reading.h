/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A domain's points, opened to read its images: nothing of it is removed as
 * long as it is open, and new points may come.
 */
#pragma once

#include <stdint.h>

#include "base/uuid.h"
#include "job/far-ledger.h"
#include "job/far-lines.h"
#include "job/ledger.h"
#include "job/point-image.h"
#include "ship/ship.h"

struct catalog;
struct err;
struct manifest;
struct repo;
struct repo_domain;
struct ui;

struct reading {
	char *location; /* of the repository: absolute path, or URI */
	char id[UUID_SIZE];
	struct far *far; /* on another host; NULL: it is here, and: */
	struct repo *repo;
	struct repo_domain *domain;
	struct catalog *catalog;
};

/*
 * Opens the points of @domain in @repository: a path, or ssh://. Problems of
 * its chain are warnings. To be closed also after a failure.
 */
int reading_open(struct reading *reading, const char *repository,
		 const char *domain, ship_cancel cancelled, struct ui *ui,
		 struct err *err);
void reading_close(struct reading *reading);

/* The manifest of @point, complete. -ENOENT: no such point. Freed by
 * manifest_free(). */
int reading_find(const struct reading *reading, const char *point,
		 struct manifest **ret_manifest, struct err *err);

/* That every image that the disk @target of @point is read through is there.
 * -EBADMSG. */
int reading_check(const struct reading *reading, const struct manifest *point,
		  const char *target, struct err *err);

/* The same as reading_image_open(), of a repository on another host: fills in
 * how to connect to it, as long as @reading is open. */
int reading_ask_for_image(const struct reading *reading,
			  const struct manifest *point, const char *target,
			  uint64_t size_bytes, struct far_lines *ret_lines,
			  struct err *err);

/* A disk of a point, to be read. */
struct reading_image {
	struct ship_source *source;
	struct ledger *known; /* what it should read as; asked once, in order */
	/* how it comes */
	struct far *far;
	struct far_lines lines;
	struct far_ledger far_known;
	struct point_image image;
	struct ledger_files files;
};

/*
 * Opens the disk @target of @point, as one of @size_bytes: what lies behind its
 * end reads as zeroes. One at a time. To be closed also after a failure.
 */
int reading_image_open(const struct reading *reading,
		       const struct manifest *point, const char *target,
		       uint64_t size_bytes, ship_cancel cancelled,
		       struct reading_image *ret_image, struct err *err);
/* What is wrong with the sums, NULL: nothing so far. */
const char *reading_image_problem(const struct reading_image *image);

void reading_image_close(struct reading_image *image);
#define _cleanup_reading_image_ _cleanup_(reading_image_close)
