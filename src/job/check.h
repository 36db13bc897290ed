/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Check: what of a status somebody has to look at, and how urgent it is.
 *
 * Judging is apart from looking, and pure: the same status gives the same
 * findings.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "job/status.h"

/* In the numbers of a monitoring plugin. */
enum check_level {
	CHECK_OK = 0,
	CHECK_WARNING = 1,
	CHECK_CRITICAL = 2,
	CHECK_UNKNOWN = 3,
};

struct check_request {
	const char *connect;
	char **domains; /* none: all that are attached */
	size_t nr_domains;
	uint64_t warning_s, critical_s; /* 0: as configured */
};

struct check_finding {
	enum check_level level;
	char text[768]; /* begins with what it is about */
};

/* Of a target of a domain, over its disks: the oldest one counts. */
struct check_age {
	char *what; /* DOMAIN TARGET */
	bool never; /* ->age_s means nothing */
	uint64_t age_s, warning_s, critical_s;
	uint64_t pending_bytes;
};

struct check_report {
	struct check_finding *findings; /* without those that are fine */
	size_t nr_findings;
	struct check_age *ages;
	size_t nr_ages;
	size_t nr_domains, nr_disks;
	bool no_memory;
};

/*
 * Looks and judges. That it could not look is a finding too. @ret_report is
 * freed by check_report_free().
 */
void check_run(const struct check_request *request,
	       struct check_report *ret_report);
void check_report_free(struct check_report *report);

/* Adds what there is to say of @status. */
void check_judge(const struct check_request *request,
		 const struct status_report *status,
		 struct check_report *report);

/* The worst of its findings: critical, unknown, warning, fine. */
enum check_level check_level(const struct check_report *report);
