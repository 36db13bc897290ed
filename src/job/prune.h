/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Prune: points that no rule keeps go, without any other reading differently.
 * The newest one and protected ones always stay.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#include "base/err.h"
#include "base/keep.h"
#include "repo/point.h"

struct repo_domain;
struct ui;

struct prune_request {
	const char *domain;     /* name or uuid */
	const char *repository; /* path */
	struct keep keep;
	bool dry_run;
};

struct prune_point {
	char point[POINT_SIZE];
	time_t created;
	bool kept;
	bool protected;
	bool removed;     /* by this run */
	char reason[640]; /* why it is still there though it need not be; "" */
};

struct prune_report {
	char *domain, *location;
	struct prune_point *points; /* oldest first */
	size_t nr_points;
	size_t nr_removed;
	uint64_t moved_bytes; /* copied from image to image */
	uint64_t spent_ms;
	bool warned; /* something could not be removed: exit code 3 */
};

/*
 * Takes up what an earlier run left half done, and removes what @request does
 * not keep. -EBUSY: another run has the domain. A point that is being read, or
 * that cannot be merged, stays and is a warning. @ret_report is to be freed
 * also after a failure.
 */
int prune_run(const struct prune_request *request,
	      struct prune_report *ret_report, struct ui *ui, struct err *err);

/* The same for a domain that is locked by the caller, after a backup. */
int prune_domain(const struct repo_domain *domain, const struct keep *keep,
		 bool dry_run, struct prune_report *report, struct ui *ui,
		 struct err *err);

/* Protects the point from being pruned, or no longer. */
int prune_protect(const char *repository, const char *domain, const char *point,
		  bool protect, struct err *err);

void prune_report_free(struct prune_report *report);
