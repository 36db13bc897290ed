/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Export: a point's disks, at once, over NBD: for a look at a file, or to boot
 * from while a restore is under way.  Nothing is copied, and the point stays
 * what it is: what is written, if it may be, goes into an overlay that ends
 * with the export.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "repo/point.h"

struct export;
struct ui;

struct export_request {
	const char *domain;         /* name or uuid */
	const char *repository;     /* path, or ssh:// */
	const char *point;          /* full name, its beginning, or "latest" */
	const char *const *targets; /* disks; none: all of the point */
	size_t nr_targets;
	const char *dir; /* for the sockets; NULL: a new one */
	bool writable;
};

struct export_disk {
	char target[64];
	uint64_t size_bytes;
	char *socket; /* path */
};

/* What is served; it stays with the export. */
struct export_report {
	char *domain;
	char point[POINT_SIZE];
	struct export_disk *disks;
	size_t nr_disks;
};

/*
 * Begins to serve. When it returns, each disk was read from once. The points
 * of the domain are not pruned as long as it lasts. @ret_export is ended by
 * export_close(), also after a failure.
 */
int export_open(const struct export_request *request,
		struct export **ret_export, struct ui *ui, struct err *err);
const struct export_report *export_report(const struct export *export);

/* Returns 0 when the process is told to end (Ctrl-C, SIGTERM), or an error if
 * a server has ended by itself. */
int export_wait(struct export *export, struct err *err);
void export_close(struct export *export);
