/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * dsync-vm status: a line for each disk and target; or what a metadata device
 * holds.  Each line has all its columns, so that grep finds whole facts; what
 * is special about a disk stands below, for one domain.
 */
#include <stdio.h>
#include <string.h>

#include "cmd/options.h"
#include "cmd/status-json.h"
#include "cmd/status-metadata.h"
#include "cmd/status-prometheus.h"
#include "cmd/table.h"
#include "job/status.h"
#include "repo/json.h"

enum { OPTION_METADATA = OPTION_OWN, OPTION_PROMETHEUS };

static const struct table_column columns[] = {
	{.title = "DOMAIN"},
	{.title = "DISK"},
	{.title = "STATE"},
	{.title = "SIZE", .right = true},
	{.title = "DIRTY", .right = true},
	{.title = "TARGET"},
	{.title = "LAST POINT"},
	{.title = "AGE", .right = true},
	{.title = "PENDING", .right = true},
};

#define NR_COLUMNS (sizeof(columns) / sizeof(*columns))
#define NR_DISK_COLUMNS 5

static enum table_colour state_colour(const struct status_disk *disk)
{
	if (disk->restoring)
		return disk->busy ? TABLE_FAIR : TABLE_BAD;
	switch (disk->state) {
	case STATUS_STOPPED:
	case STATUS_NOT_ATTACHED:
		return TABLE_DIM;
	case STATUS_NEXT_START:
		return TABLE_FAIR;
	case STATUS_SUSPENDED:
		return disk->busy ? TABLE_FAIR : TABLE_BAD;
	case STATUS_MISSING:
		return TABLE_BAD;
	case STATUS_UP:
		break;
	}
	if (disk->tracker.state == TRACKER_UNTRACKED)
		return TABLE_BAD;
	return disk->tracker.state == TRACKER_CLEAN ||
			       disk->tracker.state == TRACKER_RECOVERED
		       ? TABLE_GOOD
		       : TABLE_FAIR;
}

static void add_disk(struct table *table, const struct status_disk *disk)
{
	bool up = status_is_up(disk);
	char size[16] = "-", dirty[16] = "-";

	if (up)
		ui_size(size, status_size_bytes(disk));
	if (up && disk->tracker.state != TRACKER_UNTRACKED)
		ui_size(dirty, status_dirty_bytes(disk));
	table_add(table, TABLE_PLAIN, "%s", disk->domain);
	table_add(table, TABLE_PLAIN, "%s", disk->disk);
	table_add(table, state_colour(disk), "%s", status_word(disk));
	table_add(table, TABLE_PLAIN, "%s", size);
	table_add(table, TABLE_PLAIN, "%s", dirty);
}

static void add_target(struct table *table, const struct status_target *target,
		       time_t now)
{
	static const enum table_colour colours[] = {TABLE_PLAIN, TABLE_FAIR,
						    TABLE_BAD};
	enum table_colour colour =
		target->watched ? colours[status_overdue(target, now)]
				: TABLE_DIM;
	char age[32] = "-", pending[16] = "-";

	if (target->newest[0])
		ui_age(age, now - target->newest_time);
	if (target->pending_known)
		ui_size(pending, target->pending_bytes);
	table_add(table, TABLE_PLAIN, "%s",
		  target->name ? target->name : target->location);
	if (target->torn)
		table_add(table, TABLE_FAIR, "torn");
	else
		table_add(table, colour, "%s",
			  target->newest[0] ? target->newest : "never");
	table_add(table, colour, "%s", age);
	table_add(table, TABLE_PLAIN, "%s", pending);
}

static void add_lines(struct table *table, const struct status_disk *disk,
		      time_t now)
{
	for (size_t i = 0; i < disk->nr_targets; i++) {
		add_disk(table, disk);
		add_target(table, &disk->targets[i], now);
	}
	if (disk->nr_targets)
		return;
	add_disk(table, disk);
	for (size_t i = NR_DISK_COLUMNS; i < NR_COLUMNS; i++)
		table_add(table, TABLE_PLAIN, "-");
}

/* ------------------------------------------------------ more of one domain */

static void print_tracking(const struct status_disk *disk)
{
	char suspect[16];

	if (disk->state == STATUS_UP &&
	    disk->tracker.state == TRACKER_UNTRACKED)
		return;
	printf("%s: metadata: %s", disk->disk,
	       disk->metadata ? disk->metadata
			      : "none, changes are kept in memory only");
	if (status_is_up(disk) && disk->tracker.suspect)
		printf(", %s suspect",
		       ui_size(suspect, status_suspect_bytes(disk)));
	putchar('\n');
}

static void print_targets(const struct status_disk *disk)
{
	for (size_t i = 0; i < disk->nr_targets; i++) {
		const struct status_target *target = &disk->targets[i];

		if (target->name)
			printf("%s: %s: %s\n", disk->disk, target->name,
			       target->location);
		if (target->torn)
			printf("%s: %s: torn: a pass writes to it, or did "
			       "until it failed; the next one heals it\n",
			       disk->disk,
			       target->name ? target->name : target->location);
	}
}

static bool is_restoring(const struct status_report *report)
{
	for (size_t i = 0; i < report->nr_disks; i++)
		if (report->disks[i].restoring)
			return true;
	return false;
}

static void print_details(const struct status_report *report)
{
	if (report->nr_disks)
		putchar('\n');
	for (size_t i = 0; i < report->nr_disks; i++) {
		const struct status_disk *disk = &report->disks[i];

		if (disk->state == STATUS_NOT_ATTACHED)
			printf("%s: not attached%s%s\n", disk->disk,
			       disk->reason ? ": " : "",
			       disk->reason ? disk->reason : "");
		else if (disk->handed_over)
			printf("%s: handed over to %s\n", disk->disk,
			       disk->handed_over);
		else if (disk->state == STATUS_NEXT_START)
			printf("%s: attached, which takes effect at the "
			       "domain's next start\n",
			       disk->disk);
		else
			print_tracking(disk);
		print_targets(disk);
		if (disk->restoring && !disk->busy)
			printf("%s: %s\n", disk->domain, disk->restoring);
	}
	if (report->nr_disks && report->disks[0].busy)
		puts(is_restoring(report) ? "A restore is running."
					  : "A backup is running.");
}

static void print_text(const struct status_report *report, bool details)
{
	_cleanup_table_ struct table *table = table_new(columns, NR_COLUMNS);

	if (!report->nr_disks) {
		puts(details ? "It has no disks."
			     : "No domain is attached; 'dsync-vm attach "
			       "DOMAIN' does it.");
		return;
	}
	for (size_t i = 0; i < report->nr_disks; i++)
		add_lines(table, &report->disks[i], report->now);
	table_print(table);
	if (details)
		print_details(report);
}

/* What the command line asks for. */
struct arguments {
	const char *metadata, *prometheus; /* NULL: not given */
};

static enum exit_code run_domains(struct options *options,
				  const struct arguments *arguments,
				  const char *domain)
{
	const char *path = arguments->prometheus;
	struct status_report report;
	struct err err = {0};
	enum exit_code code = EXIT_OK;
	int r = status_run(options->connect, domain, &report, &err);

	if (report.misconfigured.code) {
		ui_warn(&options->ui, "%s", report.misconfigured.text);
		code = EXIT_WARNINGS;
	}
	if (r == 0 && path)
		r = status_prometheus(&report, path, &err);
	else if (r == 0 && !options->json)
		print_text(&report, domain);
	code = options_finish(options, &err, code,
			      options->json ? status_json(&report) : NULL);
	status_report_free(&report);
	return code;
}

static enum exit_code run(const struct cmd *cmd, int argc, char **argv)
{
	static const struct option own[] = {
		{"metadata", required_argument, NULL, OPTION_METADATA},
		{"prometheus", required_argument, NULL, OPTION_PROMETHEUS},
		{0},
	};
	struct options options = options_init(cmd);
	struct arguments arguments = {0};
	int option;

	while ((option = options_next(&options, own, argc, argv)) >= 0)
		if (option == OPTION_METADATA)
			arguments.metadata = optarg;
		else
			arguments.prometheus = optarg;
	if (arguments.metadata && arguments.prometheus)
		return options_usage(&options,
				     "either --metadata or --prometheus");
	options_operands(&options, 0, arguments.metadata ? 0 : 1, argc, argv);
	return arguments.metadata
		       ? status_metadata(&options, arguments.metadata)
		       : run_domains(&options, &arguments, argv[optind]);
}

const struct cmd cmd_status = {
	.name = "status",
	.arguments = "[DOMAIN | --metadata=META_DEV]",
	.summary = "Show what is tracked, changed and backed up",
	.options =
		"      --prometheus=FILE write metrics there in place of it, for "
		"node_exporter\n"
		"      --metadata=META_DEV\n"
		"                        show what is on a metadata device, or "
		"an image of one,\n"
		"                        and what will come of it; read-only\n",
	.run = run,
};
