/* SPDX-License-Identifier: GPL-2.0-or-later */
/* dsync-vm export: where each disk is, and what to do with it; then it waits. */
#include <inttypes.h>
#include <stdio.h>

#include "cmd/configured.h"
#include "cmd/options.h"
#include "job/export.h"
#include "repo/json.h"

enum { OPTION_DISK = OPTION_OWN, OPTION_DIR, OPTION_WRITABLE };
enum { MAX_TARGETS = 64 };

static const struct option own[] = {
	{"disk", required_argument, NULL, OPTION_DISK},
	{"dir", required_argument, NULL, OPTION_DIR},
	{"writable", no_argument, NULL, OPTION_WRITABLE},
	{0},
};

/* Printed before it waits: who asks for JSON is waiting for it. */
static void print_json(const struct export_report *report, bool writable)
{
	_cleanup_json_ struct json_object *object = json_new();
	_cleanup_free_ char *text = NULL;
	struct json_object *disks;

	json_add_string(object, "domain", report->domain);
	json_add_string(object, "point", report->point);
	json_add_bool(object, "writable", writable);
	disks = json_add_array(object, "disks");
	for (size_t i = 0; i < report->nr_disks; i++) {
		struct json_object *item = json_append_object(disks);

		json_add_string(item, "disk", report->disks[i].target);
		json_add_uint(item, "size_bytes", report->disks[i].size_bytes);
		json_add_string(item, "socket", report->disks[i].socket);
	}
	text = json_text(object);
	fputs(text ? text : "{}\n", stdout);
	fflush(stdout);
}

static void print_text(const struct export_report *report, bool writable)
{
	const char *first = report->nr_disks ? report->disks[0].socket : "";
	char size[16];

	printf("%s at %s, %s\n", report->domain, report->point,
	       writable ? "what is written is forgotten at the end"
			: "read-only");
	for (size_t i = 0; i < report->nr_disks; i++)
		printf("  %-6s %9s  nbd+unix:///?socket=%s\n",
		       report->disks[i].target,
		       ui_size(size, report->disks[i].size_bytes),
		       report->disks[i].socket);
	printf("\nTo look at its files (only of a guest you trust):\n"
	       "  modprobe nbd\n"
	       "  qemu-nbd %s-f raw -c /dev/nbd0 "
	       "'nbd+unix:///?socket=%s'\n"
	       "  mount %s/dev/nbd0p1 /mnt\n",
	       writable ? "" : "-r ", first, writable ? "" : "-o ro ");
	printf("To boot from it:\n  qemu-system-x86_64 %s-m 2G",
	       writable ? "" : "-snapshot ");
	for (size_t i = 0; i < report->nr_disks; i++)
		printf(" \\\n    -drive 'file=nbd+unix:///?socket=%s,format=raw,"
		       "if=virtio'",
		       report->disks[i].socket);
	printf("\n\nCtrl-C ends it.\n");
	fflush(stdout);
}

static enum exit_code serve(struct options *options,
			    struct export_request *request, const char *operand)
{
	_cleanup_free_ char *repository = NULL;
	struct export *export = NULL;
	struct err err = {0};
	enum exit_code code = EXIT_OK;
	int r = configured_target(options, request->domain, operand,
				  &repository, &err);

	request->repository = repository;
	if (r == 0)
		r = export_open(request, &export, &options->ui, &err);
	if (r == 0) {
		if (options->json)
			print_json(export_report(export), request->writable);
		else if (!options->ui.quiet)
			print_text(export_report(export), request->writable);
		r = export_wait(export, &err);
		code = options->ui.nr_warnings ? EXIT_WARNINGS : EXIT_OK;
		/* The one object was printed. */
		options->json = false;
	}
	code = options_finish(options, &err, code, NULL);
	export_close(export);
	return code;
}

static enum exit_code run(const struct cmd *cmd, int argc, char **argv)
{
	struct options options = options_init(cmd);
	const char *targets[MAX_TARGETS];
	struct export_request request = {.point = "latest", .targets = targets};
	int option;

	while ((option = options_next(&options, own, argc, argv)) >= 0) {
		if (option == OPTION_DIR)
			request.dir = optarg;
		else if (option == OPTION_WRITABLE)
			request.writable = true;
		else if (request.nr_targets == MAX_TARGETS)
			return options_usage(&options, "too many disks");
		else
			targets[request.nr_targets++] = optarg;
	}
	if (options_operands(&options, 1, 3, argc, argv) == 3)
		request.point = argv[optind + 2];
	request.domain = argv[optind];
	return serve(&options, &request, argv[optind + 1]);
}

const struct cmd cmd_export = {
	.name = "export",
	.arguments = "DOMAIN [REPOSITORY [POINT]]",
	.summary = "Serve a point over NBD, to mount it or to boot from it",
	.options =
		"POINT is the name of a point or its beginning; without it, "
		"the latest one.\nREPOSITORY is a directory, ssh://HOST/DIR, or "
		"a name from dsync-vm.conf(5); without\nit, the default one "
		"there.\n\n"
		"      --disk=DISK       this disk only (may be repeated)\n"
		"      --writable        let it be written to, for a try; the "
		"point stays as it is\n"
		"      --dir=DIR         where to make the sockets, and what is "
		"written\n",
	.run = run,
};
