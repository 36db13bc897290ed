/* SPDX-License-Identifier: GPL-2.0-or-later */
/* dsync-vm detach: give a domain its own disks back. */
#include "cmd/attach-print.h"
#include "cmd/options.h"

enum { OPTION_DRY_RUN = OPTION_OWN };

static const struct option own[] = {
	{"dry-run", no_argument, NULL, OPTION_DRY_RUN},
	{0},
};

static enum exit_code run(const struct cmd *cmd, int argc, char **argv)
{
	struct options options = options_init(cmd);
	struct attach_request request = {0};
	struct attach_report report;
	struct err err = {0};

	while (options_next(&options, own, argc, argv) >= 0)
		request.dry_run = true;
	options_operands(&options, 1, 1, argc, argv);
	request.connect = options.connect;
	request.domain = argv[optind];
	(void)detach_run(&request, &report, &err);
	return attach_print(&options, &report, "given back", request.dry_run,
			    &err);
}

const struct cmd cmd_detach = {
	.name = "detach",
	.arguments = "DOMAIN",
	.summary = "Give a stopped domain its own disks back",
	.options = "      --dry-run         show what would change in the "
		   "domain's XML\n",
	.run = run,
};
