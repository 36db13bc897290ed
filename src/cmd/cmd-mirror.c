/* SPDX-License-Identifier: GPL-2.0-or-later */
/* dsync-vm mirror: a line for each pass, or one JSON object at the end. */
#include <inttypes.h>
#include <stdio.h>

#include "base/quantity.h"
#include "cmd/configured.h"
#include "cmd/options.h"
#include "job/mirror.h"
#include "repo/json.h"

#define INTERVAL_S 10
/* A pass is in no hurry: what has the domain's turn goes first. */
#define WAIT_S (24 * 3600)

enum {
	OPTION_ONCE = OPTION_OWN,
	OPTION_INTERVAL,
	OPTION_UNTIL_BELOW,
	OPTION_FREEZE,
	OPTION_BWLIMIT,
};

static const struct option own[] = {
	{"once", no_argument, NULL, OPTION_ONCE},
	{"interval", required_argument, NULL, OPTION_INTERVAL},
	{"until-below", required_argument, NULL, OPTION_UNTIL_BELOW},
	{"freeze", no_argument, NULL, OPTION_FREEZE},
	{"bwlimit", required_argument, NULL, OPTION_BWLIMIT},
	{0},
};

static struct json_object *describe(const struct mirror_report *report)
{
	struct json_object *object = json_new();

	json_add_uint(object, "passes", report->nr_passes);
	json_add_uint(object, "sent_bytes", report->sent_bytes);
	if (report->last.behind_known)
		json_add_uint(object, "behind_bytes",
			      report->last.behind_bytes);
	json_add_bool(object, "resynced", report->resynced);
	return object;
}

static void print_pass(void *opaque, const struct mirror_pass *pass)
{
	const struct options *options = opaque;
	char sent[16], behind[16] = "?";

	if (options->json || options->ui.quiet)
		return;
	if (pass->behind_known)
		ui_size(behind, pass->behind_bytes);
	printf("%s: pass %u at %s: %s sent in %.1f s, suspended %" PRIu32
	       " ms, %s behind\n",
	       pass->report->domain, pass->number, pass->report->point,
	       ui_size(sent, pass->sent_bytes), pass->report->spent_ms / 1000.0,
	       pass->report->suspend_ms, behind);
	fflush(stdout);
}

static enum exit_code mirror(struct options *options,
			     const struct mirror_request *request)
{
	struct mirror_report report;
	enum exit_code code = EXIT_OK;
	struct err err = {0};

	if (mirror_run(request, print_pass, options, &report, &options->ui,
		       &err) == 0)
		code = report.resynced ? EXIT_RESYNCED
		       : report.warned ? EXIT_WARNINGS
				       : EXIT_OK;
	return options_finish(options, &err, code,
			      options->json ? describe(&report) : NULL);
}

/* What the command line sets. */
struct arguments {
	struct mirror_request request;
	const char *interval, *until_below, *bwlimit; /* NULL: not given */
};

static enum exit_code take(const struct options *options,
			   struct arguments *arguments)
{
	struct mirror_request *request = &arguments->request;

	if (arguments->interval &&
	    !quantity_seconds(arguments->interval, &request->interval_s))
		return options_usage(options,
				     "--interval=%s: how long, such "
				     "as 10s or 5m",
				     arguments->interval);
	if (arguments->until_below &&
	    !quantity_bytes(arguments->until_below,
			    &request->until_below_bytes))
		return options_usage(options,
				     "--until-below=%s: bytes; K, M, "
				     "G or T may stand behind the "
				     "number",
				     arguments->until_below);
	if (request->once && (arguments->interval || arguments->until_below))
		return options_usage(options, "--once is one pass: it has "
					      "neither --interval nor "
					      "--until-below");
	if (arguments->bwlimit)
		return options_bwlimit(options, arguments->bwlimit,
				       &request->backup.bwlimit_bytes);
	return EXIT_OK;
}

static enum exit_code start(struct options *options,
			    struct arguments *arguments, const char *domain,
			    const char *target)
{
	_cleanup_config_ struct config config = {0};
	_cleanup_free_ char *location = NULL;
	struct backup_request *backup = &arguments->request.backup;
	struct err err = {0};
	enum exit_code code;

	if (configured(options, domain, &config, &err) < 0 ||
	    configured_location(options, &config, target, &location, &err) < 0)
		return options_finish(options, &err, EXIT_OK, NULL);
	backup->connect = options->connect;
	backup->domain = domain;
	backup->target = location;
	backup->instant.freeze_timeout_s = config.freeze_timeout_s;
	backup->turn_s = config.turn_s;
	backup->wait_s = WAIT_S;
	backup->bwlimit_bytes = configured_bwlimit(&config, target, location);
	code = take(options, arguments);
	return code == EXIT_OK ? mirror(options, &arguments->request) : code;
}

static enum exit_code run(const struct cmd *cmd, int argc, char **argv)
{
	struct options options = options_init(cmd);
	struct arguments arguments = {
		.request = {.interval_s = INTERVAL_S,
			    .backup = {.is_pass = true,
				       .instant.freeze = CONFIG_FREEZE_NO}}};
	int option;

	while ((option = options_next(&options, own, argc, argv)) >= 0) {
		if (option == OPTION_ONCE)
			arguments.request.once = true;
		else if (option == OPTION_INTERVAL)
			arguments.interval = optarg;
		else if (option == OPTION_UNTIL_BELOW)
			arguments.until_below = optarg;
		else if (option == OPTION_FREEZE)
			arguments.request.backup.instant.freeze =
				CONFIG_FREEZE_YES;
		else
			arguments.bwlimit = optarg;
	}
	options_operands(&options, 2, 2, argc, argv);
	return start(&options, &arguments, argv[optind], argv[optind + 1]);
}

const struct cmd cmd_mirror = {
	.name = "mirror",
	.arguments = "DOMAIN TARGET",
	.summary = "Keep a copy near to a running domain's disks",
	.options =
		"TARGET is a repository (a directory, or ssh://HOST/DIR), an "
		"NBD URI with {disk} in\nplace of the disk's name, or a name "
		"from dsync-vm.conf(5) for one of these.\n\n"
		"      --once            one pass, and no more\n"
		"      --interval=TIME   how long to wait between two passes "
		"(default: 10s)\n"
		"      --until-below=SIZE\n"
		"                        end when less than that is behind "
		"after a pass\n"
		"      --freeze          ask the guest's agent to freeze its "
		"filesystems at each\n"
		"                        pass; without it a pass is as after "
		"a power cut\n"
		"      --bwlimit=RATE    send at most so many bytes a second; "
		"K, M, G or T may\n"
		"                        stand behind the number\n",
	.run = run,
};
