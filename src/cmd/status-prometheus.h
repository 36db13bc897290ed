/* SPDX-License-Identifier: GPL-2.0-or-later */
/* dsync-vm status --prometheus: metrics for node_exporter's textfile collector.
 */
#pragma once

struct err;
struct status_report;

/* The text of all metrics; the caller frees it. NULL: out of memory. */
char *status_metrics(const struct status_report *report);

/* Replaces @path by it in one step. */
int status_prometheus(const struct status_report *report, const char *path,
		      struct err *err);
