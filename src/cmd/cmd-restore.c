/* SPDX-License-Identifier: GPL-2.0-or-later */
/* dsync-vm restore: where each disk is now, as lines or one JSON object. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "cmd/configured.h"
#include "cmd/options.h"
#include "job/restore.h"
#include "repo/json.h"

enum {
	OPTION_DISK = OPTION_OWN,
	OPTION_TO,
	OPTION_FORMAT,
	OPTION_DEFINE,
	OPTION_IN_PLACE,
	OPTION_FORCE,
};
enum { MAX_PICKS = 64 };

static const struct option own[] = {
	{"disk", required_argument, NULL, OPTION_DISK},
	{"to", required_argument, NULL, OPTION_TO},
	{"format", required_argument, NULL, OPTION_FORMAT},
	{"define", required_argument, NULL, OPTION_DEFINE},
	{"in-place", no_argument, NULL, OPTION_IN_PLACE},
	{"force", no_argument, NULL, OPTION_FORCE},
	{0},
};

static struct json_object *describe(const struct restore_report *report)
{
	struct json_object *object = json_new();
	struct json_object *disks;

	if (!report->domain)
		return object;
	json_add_string(object, "domain", report->domain);
	json_add_string(object, "point", report->point);
	json_add_string(object, "consistency",
			consistency_name(report->consistency));
	json_add_string(object, "nvram", report->nvram);
	json_add_bool(object, "in_place", report->in_place);
	json_add_bool(object, "defined", report->defined);
	json_add_real(object, "seconds", report->spent_ms / 1000.0);
	disks = json_add_array(object, "disks");
	for (size_t i = 0; i < report->nr_disks; i++) {
		const struct restore_disk *disk = &report->disks[i];
		struct json_object *item = json_append_object(disks);

		json_add_string(item, "disk", disk->target);
		json_add_string(item, "path", disk->path);
		json_add_string(item, "format", disk->format);
		json_add_bool(item, "device", disk->device);
		json_add_uint(item, "size_bytes", disk->size_bytes);
		if (report->in_place)
			json_add_uint(item, "differing_bytes",
				      disk->differing_bytes);
		json_add_uint(item, "sent_bytes", disk->sent_bytes);
		json_add_uint(item, "zero_bytes", disk->zero_bytes);
		json_add_real(item, "seconds", disk->spent_ms / 1000.0);
	}
	return object;
}

static void print_text(const struct restore_report *report, const char *define)
{
	char size[16], sent[16];

	printf("%s: point %s, %s, %.1f s\n", report->domain, report->point,
	       consistency_name(report->consistency),
	       report->spent_ms / 1000.0);
	for (size_t i = 0; i < report->nr_disks; i++) {
		const struct restore_disk *disk = &report->disks[i];

		printf("  %-6s %8s, ", disk->target,
		       ui_size(size, disk->size_bytes));
		if (report->in_place)
			printf("%8s differed, ",
			       ui_size(size, disk->differing_bytes));
		printf("%8s written  %s\n", ui_size(sent, disk->sent_bytes),
		       disk->path);
	}
	if (report->nvram)
		printf("  nvram  %s\n", report->nvram);
	if (report->defined)
		printf("  defined as %s\n", define);
}

/* "vda" or "vda=PATH", in place. */
static enum exit_code take_pick(const struct options *options, char *text,
				struct restore_pick *picks, size_t *nr_picks)
{
	char *path = strchr(text, '=');

	if (*nr_picks == MAX_PICKS)
		return options_usage(options, "--disk: %d at most", MAX_PICKS);
	if (path)
		*path++ = '\0';
	if (!*text || (path && !*path))
		return options_usage(options, "--disk: TARGET or TARGET=PATH");
	for (size_t i = 0; i < *nr_picks; i++)
		if (strcmp(picks[i].target, text) == 0)
			return options_usage(options, "--disk: %s twice", text);
	picks[(*nr_picks)++] =
		(struct restore_pick){.target = text, .path = path};
	return EXIT_OK;
}

static enum exit_code take(const struct options *options, int option,
			   struct restore_request *request,
			   struct restore_pick *picks)
{
	switch (option) {
	case OPTION_DISK:
		return take_pick(options, optarg, picks, &request->nr_picks);
	case OPTION_TO:
		request->to_dir = optarg;
		break;
	case OPTION_FORMAT:
		request->format = optarg;
		break;
	case OPTION_DEFINE:
		request->define = optarg;
		break;
	case OPTION_IN_PLACE:
		request->in_place = true;
		break;
	case OPTION_FORCE:
		request->force = true;
		break;
	}
	return EXIT_OK;
}

static enum exit_code check_in_place(const struct options *options,
				     const struct restore_request *request)
{
	if (request->to_dir || request->define || request->format ||
	    request->force)
		return options_usage(options,
				     "--in-place goes with --disk DISK alone");
	for (size_t i = 0; i < request->nr_picks; i++)
		if (request->picks[i].path)
			return options_usage(options,
					     "--disk %s: in place, without a "
					     "path",
					     request->picks[i].target);
	return EXIT_OK;
}

/* What can be wrong without looking at the repository. */
static enum exit_code check(const struct options *options,
			    const struct restore_request *request)
{
	if (request->in_place)
		return check_in_place(options, request);
	if (request->format && strcmp(request->format, "raw") != 0 &&
	    strcmp(request->format, "qcow2") != 0)
		return options_usage(options, "--format=%s: raw or qcow2",
				     request->format);
	if (!request->nr_picks && !request->to_dir)
		return options_usage(options, "where to? Give --to DIR, --disk "
					      "TARGET=PATH, or --in-place");
	for (size_t i = 0; i < request->nr_picks; i++)
		if (!request->picks[i].path && !request->to_dir)
			return options_usage(options,
					     "--disk %s: give a path, or "
					     "--to DIR",
					     request->picks[i].target);
	return EXIT_OK;
}

static enum exit_code restore(const struct options *options,
			      struct restore_request *request,
			      const char *operand, struct ui *ui)
{
	_cleanup_free_ char *repository = NULL;
	struct restore_report report = {0};
	struct err err = {0};
	enum exit_code code = EXIT_OK;
	int r = configured_target(options, request->domain, operand,
				  &repository, &err);

	request->repository = repository;
	if (r == 0 && restore_run(request, &report, ui, &err) == 0) {
		code = report.warned ? EXIT_WARNINGS : EXIT_OK;
		if (!options->json && !ui->quiet)
			print_text(&report, request->define);
	}
	code = options_finish(options, &err, code,
			      options->json ? describe(&report) : NULL);
	restore_report_free(&report);
	return code;
}

static enum exit_code run(const struct cmd *cmd, int argc, char **argv)
{
	struct options options = options_init(cmd);
	struct restore_pick picks[MAX_PICKS];
	struct restore_request request = {.point = "latest", .picks = picks};
	enum exit_code code;
	int option;

	while ((option = options_next(&options, own, argc, argv)) >= 0) {
		code = take(&options, option, &request, picks);
		if (code != EXIT_OK)
			return code;
	}
	if (options_operands(&options, 1, 3, argc, argv) == 3)
		request.point = argv[optind + 2];
	code = check(&options, &request);
	if (code != EXIT_OK)
		return code;
	if (!request.format)
		request.format = "raw";
	request.connect = options.connect;
	request.domain = argv[optind];
	return restore(&options, &request, argv[optind + 1], &options.ui);
}

const struct cmd cmd_restore = {
	.name = "restore",
	.arguments = "DOMAIN [REPOSITORY [POINT]]",
	.summary = "Bring back a domain's disks as they were at a point",
	.options =
		"POINT is the name of a point or its beginning; without it, "
		"the latest one.\nREPOSITORY is a directory, or a name from "
		"dsync-vm.conf(5); without it, the\ndefault one there.\n\n"
		"      --to=DIR          into files DIR/DOMAIN-DISK.raw (or "
		".qcow2)\n"
		"      --disk=DISK[=PATH]\n"
		"                        this disk only (may be repeated), to "
		"a file or block\n"
		"                        device PATH\n"
		"      --format=FORMAT   of files: raw or qcow2 (default: "
		"raw)\n"
		"      --define=NAME     define the restored disks as a new "
		"domain\n"
		"      --in-place        back to the stopped domain's own "
		"disks\n"
		"      --force           replace files that exist, overwrite "
		"what devices have\n",
	.run = run,
};
