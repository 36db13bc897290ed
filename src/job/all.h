/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A backup of every attached domain, some at a time, each in a process of its
 * own.  One that fails is reported, and the others go on.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

struct json_object;
struct ui;

#define ALL_MAX_JOBS 64

struct all_request {
	const char *connect; /* libvirt URI, NULL: default */
	const char *target;  /* as on the command line; NULL: default ones */
	/* Options for each, as on the command line; ends with NULL. */
	const char *const *options;
	unsigned int jobs; /* at a time */
};

struct all_domain {
	char *name;
	bool begun, done;
	enum exit_code code;
	char error[640]; /* "": none */
	char point[32];  /* "": none was made */
	uint64_t changed_bytes, sent_bytes;
	uint64_t spent_ms;
	struct json_object *report; /* what it said itself, or NULL */
};

struct all_report {
	struct all_domain *domains; /* by name */
	size_t nr_domains;
	enum exit_code code; /* the worst one */
	uint64_t spent_ms;
};

/*
 * Fails only if it could not even begin, or was interrupted: then each one that
 * had begun has ended, and @ret_report says what became of it. To be freed by
 * all_report_free() in any case.
 */
int all_run(const struct all_request *request, struct all_report *ret_report,
	    struct ui *ui, struct err *err);
void all_report_free(struct all_report *report);

/* Of two exit codes the one that is worse: see dsync-vm-backup(8). */
enum exit_code all_worse(enum exit_code a, enum exit_code b);
