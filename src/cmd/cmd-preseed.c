/* SPDX-License-Identifier: GPL-2.0-or-later */
/* dsync-vm preseed: a line for each pass and for the end, or one JSON object. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/quantity.h"
#include "cmd/options.h"
#include "job/preseed.h"
#include "job/settle.h"
#include "repo/json.h"

#define MAX_PLACES 64
#define MAX_DOWNTIME_MS 500
#define MAX_PASSES 30

enum {
	OPTION_DISK = OPTION_OWN,
	OPTION_CREATE,
	OPTION_FORCE,
	OPTION_MIGRATE,
	OPTION_OFFLINE,
	OPTION_MAX_DOWNTIME,
	OPTION_MAX_PASSES,
	OPTION_BWLIMIT,
	OPTION_DRY_RUN,
	OPTION_ABORT,
};

static const struct option own[] = {
	{"disk", required_argument, NULL, OPTION_DISK},
	{"create", no_argument, NULL, OPTION_CREATE},
	{"force", no_argument, NULL, OPTION_FORCE},
	{"migrate", no_argument, NULL, OPTION_MIGRATE},
	{"offline", no_argument, NULL, OPTION_OFFLINE},
	{"max-downtime", required_argument, NULL, OPTION_MAX_DOWNTIME},
	{"max-passes", required_argument, NULL, OPTION_MAX_PASSES},
	{"bwlimit", required_argument, NULL, OPTION_BWLIMIT},
	{"dry-run", no_argument, NULL, OPTION_DRY_RUN},
	{"abort", no_argument, NULL, OPTION_ABORT},
	{0},
};

struct arguments {
	struct preseed_request request;
	struct preseed_place places[MAX_PLACES];
	bool migrate, offline, abort;
	const char *max_downtime, *max_passes, *bwlimit; /* NULL: not given */
};

/* ------------------------------------------------------------------ output */

static struct json_object *describe(const struct preseed_report *report,
				    bool dry_run)
{
	struct json_object *object = json_new();
	struct json_object *disks = json_add_array(object, "disks");

	json_add_string(object, "domain", report->domain);
	json_add_string(object, "destination", report->uri);
	for (size_t i = 0; i < report->nr_disks; i++) {
		const struct preseed_disk *disk = &report->disks[i];
		struct json_object *item = json_append_object(disks);

		json_add_string(item, "disk", disk->disk);
		json_add_string(item, "path", disk->path);
		json_add_uint(item, "size_bytes", disk->size_bytes);
		json_add_uint(item, "left_bytes", disk->left_bytes);
		json_add_bool(item, "exists", disk->exists);
	}
	if (report->bytes_per_s)
		json_add_uint(object, "bytes_per_second", report->bytes_per_s);
	if (dry_run)
		return object;
	json_add_uint(object, "passes", report->nr_passes);
	json_add_uint(object, "sent_bytes", report->sent_bytes);
	json_add_uint(object, "left_bytes", report->last.left_bytes);
	json_add_uint(object, "estimate_ms", report->last.estimate_ms);
	json_add_bool(object, "moved", report->moved);
	json_add_uint(object, "downtime_ms", report->switchover.downtime_ms);
	json_add_uint(object, "disks_ms", report->switchover.disks_ms);
	json_add_uint(object, "memory_ms", report->switchover.memory_ms);
	json_add_uint(object, "last_bytes", report->switchover.last_bytes);
	json_add_bool(object, "resynced", report->resynced);
	return object;
}

static void print_pass(void *opaque, const struct preseed_pass *pass)
{
	const struct options *options = opaque;
	char sent[16], left[16];

	if (options->json || options->ui.quiet)
		return;
	printf("pass %u: %s sent in %.1f s, %s left: would stand %" PRIu64
	       " ms for that\n",
	       pass->number, ui_size(sent, pass->sent_bytes),
	       pass->spent_ms / 1000.0, ui_size(left, pass->left_bytes),
	       pass->estimate_ms);
	fflush(stdout);
}

static void print_plan(const struct preseed_report *report)
{
	char size[16], left[16], rate[16], time[32];
	uint64_t left_bytes = 0;

	for (size_t i = 0; i < report->nr_disks; i++) {
		const struct preseed_disk *disk = &report->disks[i];

		printf("%s: %s of %s to %s%s\n", disk->disk,
		       ui_size(left, disk->left_bytes),
		       ui_size(size, disk->size_bytes), disk->path,
		       disk->exists ? "" : ", which is made");
		left_bytes += disk->left_bytes;
	}
	printf("at %s/s: %s for a first pass, if nothing of it is zeroes\n",
	       ui_size(rate, report->bytes_per_s),
	       ui_duration(time, left_bytes / (report->bytes_per_s + 1)));
}

static void print_end(const struct preseed_request *request,
		      const struct preseed_report *report)
{
	const struct switchover_report *moved = &report->switchover;
	char last[16];

	if (request->dry_run) {
		print_plan(report);
		return;
	}
	if (!report->moved)
		return;
	if (request->end == PRESEED_MIGRATE)
		printf("%s: moved to %s: stood %" PRIu32 " ms: %" PRIu32
		       " for %s of its disks, %" PRIu32 " for its memory\n",
		       report->domain, report->uri, moved->downtime_ms,
		       moved->disks_ms, ui_size(last, moved->last_bytes),
		       moved->memory_ms);
	else
		printf("%s: moved to %s: start it there\n", report->domain,
		       report->uri);
	printf("%s: does not start here any more; 'virsh undefine %s' removes "
	       "it\n",
	       report->domain, report->domain);
}

/* --------------------------------------------------------------- arguments */

static bool add_place(struct arguments *arguments, char *text)
{
	struct preseed_request *request = &arguments->request;
	char *path = strchr(text, '=');

	if (!path || path == text || path[1] != '/' ||
	    request->nr_places == MAX_PLACES)
		return false;
	*path++ = '\0';
	arguments->places[request->nr_places++] =
		(struct preseed_place){.disk = text, .path = path};
	return true;
}

static enum exit_code take(const struct options *options,
			   struct arguments *arguments)
{
	struct preseed_request *request = &arguments->request;
	unsigned int max_downtime_ms = MAX_DOWNTIME_MS;

	request->places = arguments->places;
	request->max_passes = MAX_PASSES;
	request->end = arguments->migrate   ? PRESEED_MIGRATE
		       : arguments->offline ? PRESEED_OFFLINE
					    : PRESEED_ONLY;
	if (arguments->migrate && arguments->offline)
		return options_usage(options,
				     "--migrate and --offline: the domain "
				     "moves as it runs, or when it is shut "
				     "down");
	if (arguments->max_downtime &&
	    !quantity_number(arguments->max_downtime, 1, 3600 * 1000,
			     &max_downtime_ms))
		return options_usage(options, "--max-downtime=%s: milliseconds",
				     arguments->max_downtime);
	if (arguments->max_passes &&
	    !quantity_number(arguments->max_passes, 1, 1000000,
			     &request->max_passes))
		return options_usage(options,
				     "--max-passes=%s: a number from 1 on",
				     arguments->max_passes);
	request->max_downtime_ms = max_downtime_ms;
	if (arguments->bwlimit)
		return options_bwlimit(options, arguments->bwlimit,
				       &request->bwlimit_bytes);
	return EXIT_OK;
}

static enum exit_code take_option(const struct options *options, int option,
				  struct arguments *arguments)
{
	struct preseed_request *request = &arguments->request;

	switch (option) {
	case OPTION_DISK:
		if (!add_place(arguments, optarg))
			return options_usage(options,
					     "--disk=%s: DISK=PATH, such as "
					     "vda=/dev/vg/web1",
					     optarg);
		break;
	case OPTION_CREATE:
		request->create = true;
		break;
	case OPTION_FORCE:
		request->overwrite = true;
		break;
	case OPTION_MIGRATE:
		arguments->migrate = true;
		break;
	case OPTION_OFFLINE:
		arguments->offline = true;
		break;
	case OPTION_MAX_DOWNTIME:
		arguments->max_downtime = optarg;
		break;
	case OPTION_MAX_PASSES:
		arguments->max_passes = optarg;
		break;
	case OPTION_BWLIMIT:
		arguments->bwlimit = optarg;
		break;
	case OPTION_DRY_RUN:
		request->dry_run = true;
		break;
	case OPTION_ABORT:
		arguments->abort = true;
		break;
	}
	return EXIT_OK;
}

/* ---------------------------------------------------------------- the whole */

static enum exit_code preseed(struct options *options,
			      const struct preseed_request *request)
{
	struct preseed_report report;
	enum exit_code code = EXIT_OK;
	struct json_object *object = NULL;
	struct err err = {0};

	if (preseed_run(request, print_pass, options, &report, &options->ui,
			&err) == 0) {
		code = report.warned ? EXIT_WARNINGS : EXIT_OK;
		if (!options->json && !options->ui.quiet)
			print_end(request, &report);
	}
	if (options->json)
		object = describe(&report, request->dry_run);
	preseed_report_free(&report);
	return options_finish(options, &err, code, object);
}

static enum exit_code abort_it(struct options *options, const char *domain)
{
	struct err err = {0};
	enum exit_code code = EXIT_OK;

	if (settle_abort(options->connect, domain, &options->ui, &err) == 0)
		code = options->ui.nr_warnings ? EXIT_WARNINGS : EXIT_OK;
	return options_finish(options, &err, code,
			      options->json ? json_new() : NULL);
}

static enum exit_code run(const struct cmd *cmd, int argc, char **argv)
{
	struct options options = options_init(cmd);
	struct arguments arguments = {0};
	enum exit_code code = EXIT_OK;
	int option;

	while ((option = options_next(&options, own, argc, argv)) >= 0 &&
	       code == EXIT_OK)
		code = take_option(&options, option, &arguments);
	if (code == EXIT_OK)
		code = take(&options, &arguments);
	if (code != EXIT_OK)
		return code;
	options_operands(&options, arguments.abort ? 1 : 2,
			 arguments.abort ? 1 : 2, argc, argv);
	if (arguments.abort)
		return abort_it(&options, argv[optind]);
	arguments.request.connect = options.connect;
	arguments.request.domain = argv[optind];
	arguments.request.uri = argv[optind + 1];
	return preseed(&options, &arguments.request);
}

const struct cmd cmd_preseed = {
	.name = "preseed",
	.arguments = "DOMAIN DESTINATION",
	.summary = "Bring a domain's disks to another host, and move it there",
	.options =
		"DESTINATION is libvirt's URI of that host, "
		"qemu+ssh://[user@]host/system. The disks\nare brought there "
		"in passes while the domain runs, until what is left would "
		"not\nkeep it standing for longer than --max-downtime.\n\n"
		"      --disk=DISK=PATH  the disk's file or block device over "
		"there (default: the\n"
		"                        same path as here; may be repeated)\n"
		"      --create          make raw files that are not there\n"
		"      --force           overwrite what the disks over there "
		"have on them\n"
		"      --migrate         then move the running domain\n"
		"      --offline         then shut it down, if it runs, and "
		"define it there\n"
		"      --max-downtime=MS how long the guest may stand (default: "
		"500)\n"
		"      --max-passes=N    give up after so many (default: 30)\n"
		"      --bwlimit=RATE    send at most so many bytes a second in "
		"the passes; K, M, G\n"
		"                        or T may stand behind the number\n"
		"      --dry-run         only say what there is to be done\n"
		"      --abort           give a domain back to this host that "
		"was handed over to\n"
		"                        one that is gone; without "
		"DESTINATION\n",
	.run = run,
};
