/* SPDX-License-Identifier: GPL-2.0-or-later */
/* dsync-vm verify: a line for each disk, and one for each place that differs. */
#include <inttypes.h>
#include <stdio.h>

#include "cmd/configured.h"
#include "cmd/options.h"
#include "job/far-uri.h"
#include "job/verify-source.h"
#include "job/verify.h"
#include "repo/json.h"

#define PRINTED_RANGES 20

enum { OPTION_ALL = OPTION_OWN, OPTION_SOURCE };

static const struct option own[] = {
	{"all", no_argument, NULL, OPTION_ALL},
	{"source", no_argument, NULL, OPTION_SOURCE},
	{0},
};

static void describe_lists(struct json_object *object,
			   const struct verify_report *report)
{
	struct json_object *disks = json_add_array(object, "disks");
	struct json_object *ranges = json_add_array(object, "mismatches");

	for (size_t i = 0; i < report->nr_disks; i++) {
		const struct verify_disk *disk = &report->disks[i];
		struct json_object *item = json_append_object(disks);

		json_add_string(item, "disk", disk->target);
		json_add_string(item, "point", disk->point);
		json_add_bool(item, "whole", !disk->own);
		json_add_uint(item, "blocks", disk->blocks);
		json_add_uint(item, "mismatched", disk->mismatched);
		json_add_uint(item, "unreadable", disk->unreadable);
		json_add_uint(item, "unknown", disk->unknown);
		json_add_uint(item, "changed", disk->changed);
		json_add_uint(item, "read_bytes", disk->read_bytes);
		json_add_real(item, "seconds", disk->spent_ms / 1000.0);
	}
	for (size_t i = 0; i < report->nr_ranges; i++) {
		const struct verify_range *range = &report->ranges[i];
		struct json_object *item = json_append_object(ranges);

		json_add_string(item, "disk", range->target);
		json_add_string(item, "point", range->point);
		json_add_text(item, "image", range->image);
		json_add_uint(item, "first_block", range->first);
		json_add_uint(item, "blocks", range->count);
	}
}

static struct json_object *describe(const struct verify_report *report)
{
	struct json_object *object = json_new();

	if (!report->domain)
		return object;
	json_add_string(object, "domain", report->domain);
	json_add_string(object, "repository", report->location);
	json_add_bool(object, "source", report->source);
	json_add_uint(object, "mismatched", report->mismatched);
	json_add_uint(object, "unknown", report->unknown);
	json_add_real(object, "seconds", report->spent_ms / 1000.0);
	describe_lists(object, report);
	return object;
}

static void print_disk(const struct verify_disk *disk)
{
	char size[16];

	printf("  %-20s  %-6s %9s read, ", disk->point, disk->target,
	       ui_size(size, disk->read_bytes));
	if (disk->mismatched)
		printf("%" PRIu64 " of %" PRIu64 " blocks differ",
		       disk->mismatched, disk->blocks);
	else
		printf("%" PRIu64 " blocks as they were", disk->blocks);
	if (disk->unreadable)
		printf(", %" PRIu64 " of them cannot be read",
		       disk->unreadable);
	if (disk->unknown)
		printf(", %" PRIu64 " unknown", disk->unknown);
	if (disk->changed)
		printf(", %" PRIu64 " changed since", disk->changed);
	putchar('\n');
}

static void print_ranges(const struct verify_report *report)
{
	size_t shown = report->nr_ranges < PRINTED_RANGES ? report->nr_ranges
							  : PRINTED_RANGES;

	for (size_t i = 0; i < shown; i++) {
		const struct verify_range *range = &report->ranges[i];

		printf("  differs: %s of %s: blocks %" PRIu64 " to %" PRIu64,
		       range->target, range->point, range->first,
		       range->first + range->count - 1);
		if (range->image[0])
			printf(", from %s", range->image);
		putchar('\n');
	}
	if (shown < report->nr_ranges)
		printf("  and in %zu more places (--output=json lists them)\n",
		       report->nr_ranges - shown);
}

static void print_text(const struct verify_report *report)
{
	if (!report->domain)
		return;
	printf("%s %s %s, %.1f s\n", report->domain,
	       report->source ? "as it is now, compared with" : "in",
	       report->location, report->spent_ms / 1000.0);
	for (size_t i = 0; i < report->nr_disks; i++)
		print_disk(&report->disks[i]);
	print_ranges(report);
}

static enum exit_code finish(const struct options *options,
			     struct verify_report *report,
			     const struct err *err)
{
	enum exit_code code;

	if (!options->json && !options->ui.quiet)
		print_text(report);
	code = options_finish(options, err, EXIT_OK,
			      options->json ? describe(report) : NULL);
	verify_report_free(report);
	return code;
}

/* Where the repository is, for which the domain's host is of no use. */
static enum exit_code verify(struct options *options,
			     struct verify_request *request, char **operands,
			     int count)
{
	_cleanup_free_ char *repository = NULL;
	struct verify_report report = {0};
	struct err err = {0};
	int r = configured_target(options, request->domain,
				  count > 1 ? operands[1] : NULL, &repository,
				  &err);
	char *lone[] = {operands[0], repository};

	if (r == 0 && far_is_uri(repository))
		return options_run_there(options, repository,
					 count > 1 ? operands : lone,
					 count > 1 ? count : 2, 1);
	request->repository = repository;
	if (r == 0)
		(void)verify_run(request, &report, &options->ui, &err);
	return finish(options, &report, &err);
}

/* Where the domain is. */
static enum exit_code verify_source(struct options *options, char **operands,
				    int count)
{
	_cleanup_free_ char *repository = NULL;
	struct verify_report report = {0};
	struct err err = {0};

	if (configured_target(options, operands[0],
			      count > 1 ? operands[1] : NULL, &repository,
			      &err) == 0)
		(void)verify_source_run(
			&(struct verify_source_request){
				.connect = options->connect,
				.domain = operands[0],
				.repository = repository},
			&report, &options->ui, &err);
	return finish(options, &report, &err);
}

static enum exit_code run(const struct cmd *cmd, int argc, char **argv)
{
	struct options options = options_init(cmd);
	struct verify_request request = {0};
	bool source = false;
	int count, option;

	while ((option = options_next(&options, own, argc, argv)) >= 0)
		*(option == OPTION_ALL ? &request.all : &source) = true;
	count = options_operands(&options, 1, 1 << 20, argc, argv);
	request.domain = argv[optind];
	if (count > 2) {
		request.points = argv + optind + 2;
		request.nr_points = count - 2;
	}
	if (request.all && request.nr_points)
		return options_usage(&options, "either --all or points");
	if (source && (request.all || request.nr_points))
		return options_usage(&options,
				     "--source is about the newest point");
	if (source)
		return verify_source(&options, argv + optind, count);
	return verify(&options, &request, argv + optind, count);
}

const struct cmd cmd_verify = {
	.name = "verify",
	.arguments = "DOMAIN [REPOSITORY [POINT]...]",
	.summary = "Compare restore points with what was backed up",
	.options =
		"Without a POINT, the newest one. REPOSITORY is a directory, "
		"or a name from\ndsync-vm.conf(5); without it, the default "
		"one there.\n\n"
		"      --all             every point: all that is stored is "
		"read once\n"
		"      --source          compare the newest point with the "
		"domain's disks, but\n"
		"                        for what is known to have changed "
		"since\n",
	.run = run,
};
