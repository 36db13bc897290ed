/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * dsync-vm merge: the other end of the pipe from dsync-vm extract.  The id of
 * the stream is all that it prints, and only when all of it is durable: so the
 * other side knows by it.
 */
#include <stdio.h>
#include <unistd.h>

#include "cmd/options.h"
#include "job/merge.h"
#include "repo/json.h"

enum { OPTION_FORCE = OPTION_OWN };

static const struct option own[] = {
	{"force", no_argument, NULL, OPTION_FORCE},
	{0},
};

static struct json_object *describe(const struct merge_report *report)
{
	struct json_object *object = json_new();

	json_add_uint(object, "size_bytes", report->about.size_bytes);
	json_add_bool(object, "whole_disk", report->about.whole);
	json_add_uint(object, "data_bytes", report->data_bytes);
	json_add_uint(object, "zero_bytes", report->zero_bytes);
	json_add_real(object, "seconds", report->spent_ms / 1000.0);
	return object;
}

static enum exit_code run(const struct cmd *cmd, int argc, char **argv)
{
	struct options options = options_init(cmd);
	struct merge_request request = {.fd = STDIN_FILENO};
	struct json_object *object = NULL;
	struct merge_report report;
	char data[16], zero[16];
	struct err err = {0};

	while (options_next(&options, own, argc, argv) >= 0)
		request.force = true;
	options_operands(&options, 1, 1, argc, argv);
	request.path = argv[optind];
	if (isatty(STDIN_FILENO))
		return options_usage(&options,
				     "standard input is a terminal; this is "
				     "for a pipe from 'dsync-vm extract'");
	if (merge_run(&request, &report, &options.ui, &err) == 0)
		ui_note(&options.ui, "%s: %s, and %s of zeroes, in %.1f s",
			request.path, ui_size(data, report.data_bytes),
			ui_size(zero, report.zero_bytes),
			report.spent_ms / 1000.0);
	if (options.json)
		object = describe(&report);
	if (!err.code && options.json)
		json_add_string(object, "id", report.about.id);
	else if (!err.code)
		printf("%s\n", report.about.id);
	return options_finish(&options, &err, EXIT_OK, object);
}

const struct cmd cmd_merge = {
	.name = "merge",
	.arguments = "DEV|FILE",
	.summary = "Write what extract sends into a copy of the disk",
	.options = "Prints the id of the stream when all of it is durable.\n\n"
		   "      --force           a whole disk may overwrite what is "
		   "there\n",
	.run = run,
};
