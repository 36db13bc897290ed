/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * dsync-vm extract: what a copy of a disk misses, into a pipe.  Standard
 * output is the stream, so whatever there is to say goes to standard error.
 */
#include <string.h>
#include <unistd.h>

#include "base/bitmap.h"
#include "base/name.h"
#include "base/uuid.h"
#include "cmd/map.h"
#include "cmd/options.h"
#include "job/extract.h"

enum {
	OPTION_MAP = OPTION_OWN,
	OPTION_BLOCK_BYTES,
	OPTION_ALL,
	OPTION_DONE,
};

static const struct option own[] = {
	{"map", required_argument, NULL, OPTION_MAP},
	{"block-bytes", required_argument, NULL, OPTION_BLOCK_BYTES},
	{"all", no_argument, NULL, OPTION_ALL},
	{"done", required_argument, NULL, OPTION_DONE},
	{0},
};

struct request {
	const char *map;
	uint32_t block_bytes; /* 0: not given */
	bool all;
	const char *done;
	const char *device; /* a tracked disk, or NULL and: */
	const char *source;
};

static int make_map(void *opaque, uint64_t size_bytes, struct bitmap **ret_map,
		    struct err *err)
{
	const struct request *request = opaque;

	return map_read(request->map,
			(size_bytes + request->block_bytes - 1) /
				request->block_bytes,
			ret_map, err);
}

static enum exit_code take(const struct options *options, int option,
			   struct request *request)
{
	switch (option) {
	case OPTION_MAP:
		request->map = optarg;
		break;
	case OPTION_BLOCK_BYTES:
		return map_block_bytes(options, optarg, &request->block_bytes);
	case OPTION_ALL:
		request->all = true;
		break;
	case OPTION_DONE:
		if (!uuid_valid(optarg))
			return options_usage(options,
					     "--done=%s: not the id of a "
					     "stream; 'dsync-vm merge' says it",
					     optarg);
		request->done = optarg;
		break;
	}
	return EXIT_OK;
}

/* A word is a tracked disk, a path or URI is a source of its own, and with a
 * map anything is. */
static void tell_apart(struct request *request, const char *operand)
{
	request->device = disk_name_of_path(operand);
	if (!request->device && !strchr(operand, '/'))
		request->device = operand;
	if (!request->map && request->device)
		return;
	request->device = NULL;
	request->source = operand;
}

static enum exit_code check(const struct options *options,
			    const struct request *request)
{
	if (request->block_bytes && !request->map)
		return options_usage(options, "--block-bytes is for --map");
	if (!request->device && request->done)
		return options_usage(options, "--done is for a tracked disk");
	if (request->all && (request->map || request->done))
		return options_usage(options, "--all is for itself");
	if (request->done)
		return EXIT_OK;
	if (options->json)
		return options_usage(options,
				     "--output=json: standard output is the "
				     "stream");
	if (isatty(STDOUT_FILENO))
		return options_usage(options,
				     "standard output is a terminal; this is "
				     "for a pipe to 'dsync-vm merge'");
	return EXIT_OK;
}

static enum exit_code send(struct options *options, struct request *request,
			   struct extract_report *report, struct err *err)
{
	const struct extract_disk_request disk = {
		.fd = STDOUT_FILENO,
		.connect = options->connect,
		.device = request->device,
		.all = request->all,
	};
	const struct extract_source_request source = {
		.fd = STDOUT_FILENO,
		.source = request->source,
		.block_bytes = request->block_bytes ? request->block_bytes
						    : 4096,
		.make_map = request->map ? make_map : NULL,
		.opaque = request,
	};

	request->block_bytes = source.block_bytes;
	if (request->device)
		(void)extract_disk(&disk, report, &options->ui, err);
	else
		(void)extract_source(&source, report, &options->ui, err);
	if (report->resynced)
		return EXIT_RESYNCED;
	return options->ui.nr_warnings ? EXIT_WARNINGS : EXIT_OK;
}

static void say(struct options *options, const struct request *request,
		const struct extract_report *report)
{
	char data[16], zero[16];

	ui_note(&options->ui, "%s: %s, and %s of zeroes, in %.1f s",
		request->device ? request->device : request->source,
		ui_size(data, report->data_bytes),
		ui_size(zero, report->zero_bytes), report->spent_ms / 1000.0);
}

static enum exit_code run(const struct cmd *cmd, int argc, char **argv)
{
	struct options options = options_init(cmd);
	struct extract_report report = {0};
	struct request request = {0};
	enum exit_code code = EXIT_OK;
	struct err err = {0};
	int option;

	while ((option = options_next(&options, own, argc, argv)) >= 0) {
		code = take(&options, option, &request);
		if (code != EXIT_OK)
			return code;
	}
	options_operands(&options, 1, 1, argc, argv);
	tell_apart(&request, argv[optind]);
	code = check(&options, &request);
	if (code != EXIT_OK)
		return code;
	if (request.done) {
		(void)extract_done(options.connect, request.device,
				   request.done, &err);
		return options_finish(&options, &err, EXIT_OK, NULL);
	}
	code = send(&options, &request, &report, &err);
	if (err.code)
		code = EXIT_OK;
	else
		say(&options, &request, &report);
	return options_finish(&options, &err, code, NULL);
}

const struct cmd cmd_extract = {
	.name = "extract",
	.arguments = "DEVICE|FILE",
	.summary = "Write what changed on a disk into a pipe, for merge",
	.options =
		"DEVICE is a tracked disk, such as dsync-web1-vda; a FILE has "
		"a / in it, or a map.\n\n"
		"      --all             of a tracked disk: every block, for a "
		"new copy\n"
		"      --done=ID         the stream that merge called ID has "
		"arrived: its blocks\n"
		"                        need not be sent again\n"
		"      --map=FILE        only the blocks whose bits are set "
		"(- is stdin), of any\n"
		"                        file, device or NBD URI\n"
		"      --block-bytes=N   size of a block of the map (4096)\n",
	.run = run,
};
