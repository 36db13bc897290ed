/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * dsync-vm status: a line for each disk, one below it for each target; or what
 * a metadata device holds.
 */
#include <stdio.h>
#include <string.h>

#include "cmd/options.h"
#include "cmd/status-metadata.h"
#include "job/status.h"
#include "repo/json.h"

static const char *state_name(const struct status_disk *disk)
{
	if (!disk->up)
		return disk->active ? "missing" : "stopped";
	if (disk->suspended)
		return "suspended";
	return tracker_state_name(disk->tracker.state);
}

static uint64_t dirty_bytes(const struct status_disk *disk)
{
	return disk->tracker.dirty * disk->tracker.block_sectors * 512;
}

static uint64_t suspect_bytes(const struct status_disk *disk)
{
	return disk->tracker.suspect * disk->tracker.block_sectors * 512;
}

static void describe_disk(struct json_object *item,
			  const struct status_disk *disk)
{
	struct json_object *targets;

	json_add_string(item, "domain", disk->domain);
	json_add_string(item, "disk", disk->disk);
	json_add_bool(item, "running", disk->active);
	json_add_string(item, "state", state_name(disk));
	if (disk->up) {
		json_add_uint(item, "size_bytes",
			      disk->tracker.size_sectors * 512);
		json_add_uint(item, "dirty_bytes", dirty_bytes(disk));
		json_add_uint(item, "suspect_bytes", suspect_bytes(disk));
		json_add_string(item, "epoch",
				disk->tracker.epoch[0] ? disk->tracker.epoch
						       : NULL);
	}
	json_add_string(item, "metadata", disk->metadata);
	targets = json_add_array(item, "targets");
	for (size_t i = 0; i < disk->nr_targets; i++) {
		const struct status_target *target = &disk->targets[i];
		struct json_object *entry = json_append_object(targets);

		json_add_string(entry, "target", target->location);
		json_add_string(entry, "point",
				target->newest[0] ? target->newest : NULL);
		json_add_uint(entry, "pending_bytes", target->pending_bytes);
	}
}

static struct json_object *describe(const struct status_report *report)
{
	struct json_object *object = json_new();
	struct json_object *disks = json_add_array(object, "disks");

	for (size_t i = 0; i < report->nr_disks; i++)
		describe_disk(json_append_object(disks), &report->disks[i]);
	return object;
}

static int domain_width(const struct status_report *report)
{
	size_t width = strlen("DOMAIN");

	for (size_t i = 0; i < report->nr_disks; i++)
		if (strlen(report->disks[i].domain) > width)
			width = strlen(report->disks[i].domain);
	return width;
}

static void print_metadata(const struct status_disk *disk, int width)
{
	char suspect[16];

	if (disk->up && disk->tracker.state == TRACKER_UNTRACKED)
		return;
	printf("%*s  metadata: %s", width, "",
	       disk->metadata ? disk->metadata
			      : "none, changes are kept in memory only");
	if (disk->up && disk->tracker.suspect)
		printf(", %s suspect", ui_size(suspect, suspect_bytes(disk)));
	putchar('\n');
}

static void print_disk(const struct status_disk *disk, int width)
{
	char size[16] = "-", dirty[16] = "-", pending[16];

	if (disk->up) {
		ui_size(size, disk->tracker.size_sectors * 512);
		if (disk->tracker.state != TRACKER_UNTRACKED)
			ui_size(dirty, dirty_bytes(disk));
	}
	printf("%-*s  %-6s  %-9s  %9s  %9s\n", width, disk->domain, disk->disk,
	       state_name(disk), size, dirty);
	print_metadata(disk, width);
	for (size_t i = 0; i < disk->nr_targets; i++) {
		const struct status_target *target = &disk->targets[i];

		if (!disk->up)
			continue;
		printf("%*s  %s: %s", width, "", target->location,
		       target->newest[0] ? target->newest : "no point yet");
		if (target->pending_bytes)
			printf(", %s pending",
			       ui_size(pending, target->pending_bytes));
		putchar('\n');
	}
}

static void print_text(const struct status_report *report)
{
	int width = domain_width(report);

	if (!report->nr_disks) {
		puts("No domain is attached; 'dsync-vm attach DOMAIN' does it.");
		return;
	}
	printf("%-*s  %-6s  %-9s  %9s  %9s\n", width, "DOMAIN", "DISK", "STATE",
	       "SIZE", "CHANGED");
	for (size_t i = 0; i < report->nr_disks; i++)
		print_disk(&report->disks[i], width);
}

static enum exit_code run_domains(const struct options *options,
				  const char *domain)
{
	struct status_report report;
	struct err err = {0};
	enum exit_code code;

	if (status_run(options->connect, domain, &report, &err) == 0 &&
	    !options->json)
		print_text(&report);
	code = options_finish(options, &err, EXIT_OK,
			      options->json ? describe(&report) : NULL);
	status_report_free(&report);
	return code;
}

static enum exit_code run(const struct cmd *cmd, int argc, char **argv)
{
	static const struct option own[] = {
		{"metadata", required_argument, NULL, OPTION_OWN},
		{0},
	};
	struct options options = options_init(cmd);
	const char *meta_dev = NULL;

	while (options_next(&options, own, argc, argv) >= 0)
		meta_dev = optarg;
	options_operands(&options, 0, meta_dev ? 0 : 1, argc, argv);
	return meta_dev ? status_metadata(&options, meta_dev)
			: run_domains(&options, argv[optind]);
}

const struct cmd cmd_status = {
	.name = "status",
	.arguments = "[DOMAIN | --metadata=META_DEV]",
	.summary = "Show what is tracked, changed and backed up",
	.options =
		"      --metadata=META_DEV\n"
		"                        show what is on a metadata device, or "
		"an image of one,\n"
		"                        and what will come of it; read-only\n",
	.run = run,
};
