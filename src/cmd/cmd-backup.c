/* SPDX-License-Identifier: GPL-2.0-or-later */
/* dsync-vm backup: what a run did, in three lines or as one JSON object. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "cmd/options.h"
#include "job/backup.h"
#include "repo/json.h"

#define FREEZE_TIMEOUT_S 10 /* what Windows' VSS allows a freeze to last */

enum { OPTION_NO_FREEZE = OPTION_OWN, OPTION_FREEZE_TIMEOUT };

static const struct option own[] = {
	{"no-freeze", no_argument, NULL, OPTION_NO_FREEZE},
	{"freeze-timeout", required_argument, NULL, OPTION_FREEZE_TIMEOUT},
	{0},
};

static struct json_object *describe(const struct backup_report *report)
{
	struct json_object *object = json_new();
	struct json_object *disks;

	if (!report->point[0])
		return object;
	json_add_string(object, "domain", report->domain);
	json_add_string(object, "target", report->location);
	json_add_string(object, "point", report->point);
	json_add_string(object, "consistency",
			consistency_name(report->consistency));
	json_add_uint(object, "freeze_ms", report->freeze_ms);
	json_add_uint(object, "suspend_ms", report->suspend_ms);
	json_add_real(object, "seconds", report->spent_ms / 1000.0);
	json_add_bool(object, "resynced", report->resynced);
	disks = json_add_array(object, "disks");
	for (size_t i = 0; i < report->nr_disks; i++) {
		const struct backup_disk *disk = &report->disks[i];
		struct json_object *item = json_append_object(disks);

		json_add_string(item, "disk", disk->target);
		json_add_bool(item, "full", disk->full);
		json_add_string(item, "reason",
				disk->reason[0] ? disk->reason : NULL);
		json_add_uint(item, "size_bytes", disk->size_bytes);
		json_add_uint(item, "block_bytes", disk->block_bytes);
		json_add_uint(item, "blocks", disk->blocks);
		json_add_uint(item, "sent_bytes", disk->sent_bytes);
		json_add_uint(item, "zero_bytes", disk->zero_bytes);
		json_add_uint(item, "held_bytes", disk->held_bytes);
		json_add_real(item, "seconds", disk->spent_ms / 1000.0);
	}
	return object;
}

static void print_text(const struct backup_report *report)
{
	char size[16], changed[16], sent[16];

	printf("%s: point %s in %s, %s", report->domain, report->point,
	       report->location, consistency_name(report->consistency));
	if (report->freeze_ms)
		printf(", frozen %" PRIu32 " ms", report->freeze_ms);
	printf(", suspended %" PRIu32 " ms, %.1f s\n", report->suspend_ms,
	       report->spent_ms / 1000.0);
	for (size_t i = 0; i < report->nr_disks; i++) {
		const struct backup_disk *disk = &report->disks[i];

		printf("  %-6s %-11s %8s of %8s, %8s sent\n", disk->target,
		       disk->full ? "full" : "incremental",
		       ui_size(changed, disk->blocks * disk->block_bytes),
		       ui_size(size, disk->size_bytes),
		       ui_size(sent, disk->sent_bytes));
	}
}

static enum exit_code outcome(const struct backup_report *report)
{
	if (report->resynced)
		return EXIT_RESYNCED;
	return report->warned ? EXIT_WARNINGS : EXIT_OK;
}

static bool parse_timeout(const char *text, unsigned int *ret_seconds)
{
	char *end;
	unsigned long value = strtoul(text, &end, 10);

	if (*text < '0' || *text > '9' || *end || value < 1 || value > 600)
		return false;
	*ret_seconds = value;
	return true;
}

static enum exit_code run(const struct cmd *cmd, int argc, char **argv)
{
	struct options options = options_init(cmd);
	struct backup_request request = {
		.instant = {.freeze = true,
			    .freeze_timeout_s = FREEZE_TIMEOUT_S},
	};
	struct backup_report report;
	enum exit_code code = EXIT_OK;
	struct err err = {0};
	int option;

	while ((option = options_next(&options, own, argc, argv)) >= 0) {
		if (option == OPTION_NO_FREEZE)
			request.instant.freeze = false;
		else if (!parse_timeout(optarg,
					&request.instant.freeze_timeout_s))
			return options_usage(&options,
					     "--freeze-timeout=%s: seconds, "
					     "1 to 600",
					     optarg);
	}
	options_operands(&options, 2, 2, argc, argv);
	request.connect = options.connect;
	request.domain = argv[optind];
	request.target = argv[optind + 1];
	if (backup_run(&request, &report, &options.ui, &err) == 0) {
		code = outcome(&report);
		if (!options.json && !options.ui.quiet)
			print_text(&report);
	}
	code = options_finish(&options, &err, code,
			      options.json ? describe(&report) : NULL);
	backup_report_free(&report);
	return code;
}

const struct cmd cmd_backup = {
	.name = "backup",
	.arguments = "DOMAIN TARGET",
	.summary = "Back up what changed on a domain's disks",
	.options =
		"TARGET is the directory of a repository, or the NBD URI of a "
		"mirror, with\n{disk} in place of the disk's name.\n\n"
		"      --no-freeze       do not ask the guest's agent to freeze "
		"its filesystems\n"
		"      --freeze-timeout=SECONDS\n"
		"                        how long to wait for the freeze "
		"(default: 10)\n",
	.run = run,
};
