/* SPDX-License-Identifier: GPL-2.0-or-later */
/* dsync-vm backup: what a run did, in three lines or as one JSON object. */
#include <inttypes.h>
#include <stdio.h>

#include "base/io.h"
#include "base/quantity.h"
#include "cmd/backup-all.h"
#include "cmd/configured.h"
#include "cmd/options.h"
#include "cmd/table.h"
#include "job/all.h"
#include "job/backup.h"
#include "repo/json.h"

enum {
	OPTION_FREEZE = OPTION_OWN,
	OPTION_NO_FREEZE,
	OPTION_FREEZE_TIMEOUT,
	OPTION_ALL,
	OPTION_JOBS,
	OPTION_BWLIMIT,
	OPTION_WAIT,
};

static const struct option own[] = {
	{"freeze", required_argument, NULL, OPTION_FREEZE},
	{"no-freeze", no_argument, NULL, OPTION_NO_FREEZE},
	{"freeze-timeout", required_argument, NULL, OPTION_FREEZE_TIMEOUT},
	{"all", no_argument, NULL, OPTION_ALL},
	{"jobs", required_argument, NULL, OPTION_JOBS},
	{"bwlimit", required_argument, NULL, OPTION_BWLIMIT},
	{"wait", required_argument, NULL, OPTION_WAIT},
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
		json_add_uint(item, "equal_bytes", disk->equal_bytes);
		json_add_uint(item, "held_bytes", disk->held_bytes);
		json_add_real(item, "seconds", disk->spent_ms / 1000.0);
	}
	return object;
}

static const char *kind(const struct backup_disk *disk)
{
	if (!disk->full)
		return "incremental";
	return disk->compared ? "resync" : "full";
}

static void print_text(const struct backup_report *report)
{
	static const struct table_column columns[] = {
		{.title = "DISK"},
		{.title = "KIND"},
		{.title = "CHANGED", .right = true},
		{.title = "SENT", .right = true},
		{.title = "SIZE", .right = true},
		{.title = "TIME", .right = true},
	};
	_cleanup_table_ struct table *table =
		table_new(columns, sizeof(columns) / sizeof(*columns));
	char size[16];

	printf("%s: point %s in %s, %s", report->domain, report->point,
	       report->location, consistency_name(report->consistency));
	if (report->freeze_ms)
		printf(", frozen %" PRIu32 " ms", report->freeze_ms);
	printf(", suspended %" PRIu32 " ms, %.1f s\n", report->suspend_ms,
	       report->spent_ms / 1000.0);
	for (size_t i = 0; i < report->nr_disks; i++) {
		const struct backup_disk *disk = &report->disks[i];

		table_add(table, TABLE_PLAIN, "%s", disk->target);
		table_add(table,
			  disk->full && disk->compared ? TABLE_FAIR
						       : TABLE_PLAIN,
			  "%s", kind(disk));
		table_add(table, TABLE_PLAIN, "%s",
			  ui_size(size, disk->blocks * disk->block_bytes));
		table_add(table, TABLE_PLAIN, "%s",
			  ui_size(size, disk->sent_bytes));
		table_add(table, TABLE_PLAIN, "%s",
			  ui_size(size, disk->size_bytes));
		table_add(table, TABLE_PLAIN, "%.1f s",
			  disk->spent_ms / 1000.0);
	}
	table_print(table);
}

static enum exit_code outcome(const struct backup_report *report)
{
	if (report->resynced)
		return EXIT_RESYNCED;
	return report->warned ? EXIT_WARNINGS : EXIT_OK;
}

/* What the command line sets, over what is configured. */
struct arguments {
	const char *freeze; /* NULL: not given */
	const char *freeze_timeout;
	const char *bwlimit;
	const char *wait;
	bool all;
	const char *jobs;
};

static bool take_wait(const char *text, unsigned int *ret_wait_s)
{
	uint64_t wait_s;

	if (!quantity_seconds(text, &wait_s) || wait_s > UINT32_MAX)
		return false;
	*ret_wait_s = wait_s;
	return true;
}

static enum exit_code take(const struct options *options,
			   const struct arguments *arguments,
			   struct backup_request *request)
{
	struct instant_request *instant = &request->instant;

	if (arguments->freeze &&
	    !config_freeze_parse(arguments->freeze, &instant->freeze))
		return options_usage(options, "--freeze=%s: yes, no or require",
				     arguments->freeze);
	if (arguments->freeze_timeout &&
	    !quantity_number(arguments->freeze_timeout, 1,
			     CONFIG_FREEZE_TIMEOUT_MAX_S,
			     &instant->freeze_timeout_s))
		return options_usage(options,
				     "--freeze-timeout=%s: seconds, 1 to %d",
				     arguments->freeze_timeout,
				     CONFIG_FREEZE_TIMEOUT_MAX_S);
	if (arguments->wait && !take_wait(arguments->wait, &request->wait_s))
		return options_usage(options,
				     "--wait=%s: how long, such as 45m",
				     arguments->wait);
	if (arguments->bwlimit)
		return options_bwlimit(options, arguments->bwlimit,
				       &request->bwlimit_bytes);
	return EXIT_OK;
}

static enum exit_code backup(struct options *options,
			     const struct backup_request *request)
{
	struct backup_report report;
	enum exit_code code = EXIT_OK;
	struct err err = {0};

	if (backup_run(request, &report, &options->ui, &err) == 0) {
		code = outcome(&report);
		if (!options->json && !options->ui.quiet)
			print_text(&report);
	}
	code = options_finish(options, &err, code,
			      options->json ? describe(&report) : NULL);
	backup_report_free(&report);
	return code;
}

static enum exit_code one(struct options *options,
			  const struct arguments *arguments, const char *domain,
			  const char *target)
{
	_cleanup_config_ struct config config = {0};
	_cleanup_free_ char *location = NULL;
	struct backup_request request = {.connect = options->connect,
					 .domain = domain};
	struct err err = {0};
	enum exit_code code;

	if (configured(options, domain, &config, &err) < 0 ||
	    configured_location(options, &config, target, &location, &err) < 0)
		return options_finish(options, &err, EXIT_OK, NULL);
	request.target = location;
	request.instant = (struct instant_request){
		.freeze = config.freeze,
		.freeze_timeout_s = config.freeze_timeout_s,
	};
	request.turn_s = config.turn_s;
	request.bwlimit_bytes = configured_bwlimit(&config, target, location);
	code = take(options, arguments, &request);
	return code == EXIT_OK ? backup(options, &request) : code;
}

/* Without a place for any of them, each would only say so. */
static enum exit_code check_target(const struct options *options,
				   const char *target)
{
	_cleanup_config_ struct config config = {0};
	struct err err = {0};

	if (!target && configured(options, NULL, &config, &err) < 0)
		return options_finish(options, &err, EXIT_OK, NULL);
	if (target || config.nr_targets)
		return EXIT_OK;
	return options_usage(options, "no target: give one, or configure it "
				      "in " PLACE_CONFIG);
}

static enum exit_code every(struct options *options,
			    const struct arguments *arguments,
			    const char *target)
{
	_cleanup_free_ char *freeze = NULL, *timeout = NULL, *bwlimit = NULL;
	_cleanup_free_ char *wait = NULL;
	const char *passed[5] = {NULL};
	struct all_request request = {.connect = options->connect,
				      .target = target,
				      .options = passed,
				      .jobs = 1};
	struct backup_request checked;
	enum exit_code code = take(options, arguments, &checked);
	size_t count = 0;

	if (code == EXIT_OK)
		code = check_target(options, target);
	if (code != EXIT_OK)
		return code;
	if (arguments->jobs &&
	    !quantity_number(arguments->jobs, 1, ALL_MAX_JOBS, &request.jobs))
		return options_usage(options, "--jobs=%s: 1 to %d",
				     arguments->jobs, ALL_MAX_JOBS);
	if (arguments->freeze)
		passed[count++] = freeze =
			io_format("--freeze=%s", arguments->freeze);
	if (arguments->freeze_timeout)
		passed[count++] = timeout = io_format(
			"--freeze-timeout=%s", arguments->freeze_timeout);
	if (arguments->bwlimit)
		passed[count++] = bwlimit =
			io_format("--bwlimit=%s", arguments->bwlimit);
	if (arguments->wait)
		passed[count++] = wait =
			io_format("--wait=%s", arguments->wait);
	return backup_all(options, &request);
}

static void take_option(struct arguments *arguments, int option)
{
	switch (option) {
	case OPTION_FREEZE:
		arguments->freeze = optarg;
		break;
	case OPTION_NO_FREEZE:
		arguments->freeze = "no";
		break;
	case OPTION_FREEZE_TIMEOUT:
		arguments->freeze_timeout = optarg;
		break;
	case OPTION_ALL:
		arguments->all = true;
		break;
	case OPTION_JOBS:
		arguments->jobs = optarg;
		break;
	case OPTION_BWLIMIT:
		arguments->bwlimit = optarg;
		break;
	case OPTION_WAIT:
		arguments->wait = optarg;
		break;
	}
}

static enum exit_code run(const struct cmd *cmd, int argc, char **argv)
{
	struct options options = options_init(cmd);
	struct arguments arguments = {0};
	int option;

	while ((option = options_next(&options, own, argc, argv)) >= 0)
		take_option(&arguments, option);
	if (arguments.jobs && !arguments.all)
		return options_usage(&options, "--jobs is for --all");
	if (arguments.all) {
		options_operands(&options, 0, 1, argc, argv);
		return every(&options, &arguments, argv[optind]);
	}
	options_operands(&options, 1, 2, argc, argv);
	return one(&options, &arguments, argv[optind], argv[optind + 1]);
}

const struct cmd cmd_backup = {
	.name = "backup",
	.arguments = "DOMAIN|--all [TARGET]",
	.summary = "Back up what changed on a domain's disks",
	.options =
		"TARGET is a name from dsync-vm.conf(5), the directory of a "
		"repository, or the NBD\nURI of a mirror, with {disk} in place "
		"of the disk's name. Without it, the default\ntarget of "
		"dsync-vm.conf(5).\n\n"
		"      --all             back up all attached domains, and go on "
		"past one that fails\n"
		"      --jobs=N          with --all: N domains at a time "
		"(default: 1)\n"
		"      --freeze=yes|no|require\n"
		"                        ask the guest's agent to freeze its "
		"filesystems; a guest\n"
		"                        that cannot be frozen is a warning, "
		"or a failure\n"
		"      --no-freeze       the same as --freeze=no\n"
		"      --freeze-timeout=SECONDS\n"
		"                        how long to wait for the freeze\n"
		"      --bwlimit=RATE    send at most so many bytes a second; "
		"K, M, G or T may\n"
		"                        stand behind the number\n"
		"      --wait=TIME       wait so long for another backup of the "
		"domain to end, or\n"
		"                        to give way; 45m, say\n",
	.run = run,
};
