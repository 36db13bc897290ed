/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a repository has: domains, or the points of one. */
#pragma once

#include <stddef.h>

#include "base/err.h"

struct catalog;
struct repo;
struct repo_domain;
struct ui;

struct list_domain {
	char *name; /* at its newest point */
	struct repo_domain *directory;
	struct catalog *catalog;
};

struct list_report {
	struct repo *repo;
	struct list_domain *domains;
	size_t nr_domains;
};

/*
 * Reads the points of @domain, or of all domains if it is NULL. Problems of a
 * chain are warnings. @ret_report is freed by list_report_free(), also after
 * a failure.
 */
int list_run(const char *repository, const char *domain,
	     struct list_report *ret_report, struct ui *ui, struct err *err);
void list_report_free(struct list_report *report);
