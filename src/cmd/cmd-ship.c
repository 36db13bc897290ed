/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * dsync-vm ship: the plumbing under backup and restore, for whoever has a map
 * of his own (or none) and wants the engine alone.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bitmap.h"
#include "base/cleanup.h"
#include "cmd/map.h"
#include "cmd/options.h"
#include "job/interrupt.h"
#include "repo/json.h"
#include "ship/pace.h"
#include "ship/server.h"
#include "ship/ship.h"

enum {
	OPTION_MAP = OPTION_OWN,
	OPTION_BLOCK_BYTES,
	OPTION_DEST_IS_ZERO,
	OPTION_FORMAT,
	OPTION_STALL,
	OPTION_BWLIMIT,
};

static const struct option own[] = {
	{"map", required_argument, NULL, OPTION_MAP},
	{"block-bytes", required_argument, NULL, OPTION_BLOCK_BYTES},
	{"dest-is-zero", no_argument, NULL, OPTION_DEST_IS_ZERO},
	{"format", required_argument, NULL, OPTION_FORMAT},
	{"stall", required_argument, NULL, OPTION_STALL},
	{"bwlimit", required_argument, NULL, OPTION_BWLIMIT},
	{0},
};

struct request {
	const char *source, *dest;
	const char *map;    /* NULL: all blocks; "-": stdin */
	const char *format; /* of an image given by its path */
	uint32_t block_bytes;
	unsigned long stall_s;
	uint64_t bwlimit_bytes; /* a second; 0: none */
	bool dest_is_zero;
};

struct report {
	struct ship_counts counts;
	unsigned int connections;
	uint64_t size_bytes;
	uint64_t spent_ms;
};

struct watcher {
	struct ui *ui;
	uint64_t block_bytes;
};

static bool is_uri(const char *name)
{
	return strstr(name, "://") != NULL;
}

/* ------------------------------------------------------------------- ship */

static void show_progress(void *opaque, const struct ship_counts *counts)
{
	const struct watcher *watcher = opaque;

	ui_progress(watcher->ui, counts->done_blocks * watcher->block_bytes,
		    counts->blocks * watcher->block_bytes);
}

static int ship(const struct request *request, struct ship_source *source,
		struct ship_dest *dest, ship_cancel cancelled, struct ui *ui,
		struct report *report, struct err *err)
{
	_cleanup_bitmap_ struct bitmap *map = NULL;
	struct watcher watcher = {ui, request->block_bytes};
	uint64_t size = ship_source_size_bytes(source);
	struct pace pace = pace_init(request->bwlimit_bytes);
	struct ship_job job = {
		.block_bytes = request->block_bytes,
		.dest_is_zero = request->dest_is_zero,
		.stall_ms = request->stall_s * 1000,
		.pace = &pace,
		.cancelled = cancelled,
		.opaque = &watcher,
		.progress = show_progress,
	};
	int r = 0;

	report->size_bytes = size;
	report->connections = ship_dest_connections(dest);
	if (request->map)
		r = map_read(request->map,
			     (size + job.block_bytes - 1) / job.block_bytes,
			     &map, err);
	if (r < 0)
		return r;
	job.map = map;
	ui_progress_start(ui, "ship");
	r = ship_run(source, dest, &job, &report->counts, err);
	ui_progress_end(ui);
	return r;
}

static int open_source(const char *name, ship_cancel cancelled,
		       struct ship_source **ret_source, struct err *err)
{
	if (is_uri(name))
		return ship_source_open_nbd(name, cancelled, ret_source, err);
	return ship_source_open_file(name, ret_source, err);
}

static int open_dest(const struct request *request, ship_cancel cancelled,
		     struct ship_server **ret_server,
		     struct ship_dest **ret_dest, struct err *err)
{
	const struct ship_image image = {.path = request->dest,
					 .format = request->format};
	int r;

	if (is_uri(request->dest))
		return ship_dest_open(request->dest, cancelled, ret_dest, err);
	r = ship_server_start(&image, ret_server, err);
	if (r < 0)
		return r;
	return ship_server_open_dest(*ret_server, cancelled, ret_dest, err);
}

static int open_and_ship(const struct request *request, struct ui *ui,
			 struct report *report, struct err *err)
{
	ship_cancel cancelled = interrupt_catch();
	_cleanup_source_ struct ship_source *source = NULL;
	_cleanup_server_ struct ship_server *server = NULL;
	_cleanup_dest_ struct ship_dest *dest = NULL;
	int r = open_source(request->source, cancelled, &source, err);

	if (r == 0)
		r = open_dest(request, cancelled, &server, &dest, err);
	if (r == 0)
		r = ship(request, source, dest, cancelled, ui, report, err);
	if (r == 0 && server) {
		ship_dest_close(TAKE_PTR(dest));
		r = ship_server_stop(TAKE_PTR(server), err);
	}
	return r;
}

/* ----------------------------------------------------------------- report */

static struct json_object *describe(const struct report *report)
{
	const struct ship_counts *counts = &report->counts;
	struct json_object *object = json_new();

	json_add_uint(object, "size_bytes", report->size_bytes);
	json_add_uint(object, "connections", report->connections);
	json_add_uint(object, "blocks", counts->blocks);
	json_add_uint(object, "done_blocks", counts->done_blocks);
	json_add_uint(object, "read_bytes", counts->read_bytes);
	json_add_uint(object, "sent_bytes", counts->sent_bytes);
	json_add_uint(object, "zero_bytes", counts->zero_bytes);
	json_add_uint(object, "writes", counts->writes);
	json_add_uint(object, "zero_writes", counts->zero_writes);
	json_add_bool(object, "flushed", counts->flushed);
	json_add_real(object, "seconds", report->spent_ms / 1000.0);
	return object;
}

static void print_text(const struct report *report)
{
	const struct ship_counts *counts = &report->counts;
	char sent[16], zero[16];

	printf("%llu blocks: %s in %llu writes, %s of zeroes, %.1f s\n",
	       (unsigned long long)counts->done_blocks,
	       ui_size(sent, counts->sent_bytes),
	       (unsigned long long)counts->writes,
	       ui_size(zero, counts->zero_bytes), report->spent_ms / 1000.0);
}

/* ----------------------------------------------------------- command line */

/* A whole decimal number of at most @max. */
static bool take_number(const char *text, unsigned long max,
			unsigned long *ret_value)
{
	char *end;

	errno = 0;
	*ret_value = strtoul(text, &end, 10);
	return *text >= '0' && *text <= '9' && !*end && !errno &&
	       *ret_value <= max;
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
	case OPTION_DEST_IS_ZERO:
		request->dest_is_zero = true;
		break;
	case OPTION_FORMAT:
		request->format = optarg;
		break;
	case OPTION_STALL:
		if (!take_number(optarg, 86400, &request->stall_s))
			return options_usage(options,
					     "--stall %s: seconds, at most "
					     "86400",
					     optarg);
		break;
	case OPTION_BWLIMIT:
		return options_bwlimit(options, optarg,
				       &request->bwlimit_bytes);
	}
	return EXIT_OK;
}

static enum exit_code check(const struct options *options,
			    const struct request *request)
{
	if (is_uri(request->dest) && request->format)
		return options_usage(options, "--format is for an image "
					      "given by its path");
	if (!is_uri(request->dest) && !request->format)
		return options_usage(options,
				     "%s is no NBD URI; for an image file or "
				     "device say its --format",
				     request->dest);
	return EXIT_OK;
}

static enum exit_code run(const struct cmd *cmd, int argc, char **argv)
{
	struct options options = options_init(cmd);
	struct request request = {.block_bytes = 4096, .stall_s = 60};
	struct report report = {0};
	enum exit_code code = EXIT_OK;
	struct err err = {0};
	int option;

	while ((option = options_next(&options, own, argc, argv)) >= 0) {
		code = take(&options, option, &request);
		if (code != EXIT_OK)
			return code;
	}
	options_operands(&options, 2, 2, argc, argv);
	request.source = argv[optind];
	request.dest = argv[optind + 1];
	code = check(&options, &request);
	if (code != EXIT_OK)
		return code;
	report.spent_ms = ui_now_ms();
	(void)open_and_ship(&request, &options.ui, &report, &err);
	report.spent_ms = ui_now_ms() - report.spent_ms;
	if (!err.code && !report.counts.flushed) {
		ui_warn(&options.ui,
			"%s: the server cannot flush: what it "
			"acknowledged may not be on disk",
			request.dest);
		code = EXIT_WARNINGS;
	}
	if (!err.code && !options.json && !options.ui.quiet)
		print_text(&report);
	return options_finish(&options, &err, code,
			      options.json ? describe(&report) : NULL);
}

const struct cmd cmd_ship = {
	.name = "ship",
	.arguments = "SOURCE NBD-URI|IMAGE",
	.summary = "Copy the blocks of a map (plumbing under backup)",
	.options =
		"SOURCE is a file, a block device or an NBD URI.\n\n"
		"      --map=FILE        only the blocks whose bits are set "
		"(- is stdin);\n"
		"                        bit 0 of byte 0 is block 0\n"
		"      --block-bytes=N   size of a block (4096)\n"
		"      --dest-is-zero    zeroes need not be written\n"
		"      --format=FORMAT   of an image given by its path: raw, "
		"qcow2, ...\n"
		"      --stall=SECONDS   give up when nothing moves for so "
		"long (60; 0: never)\n"
		"      --bwlimit=RATE    send at most so many bytes a second; "
		"K, M, G or T may\n"
		"                        stand behind the number\n",
	.run = run,
};
