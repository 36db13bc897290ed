/* SPDX-License-Identifier: GPL-2.0-or-later */
/* dsync-vm attach: put the tracker in front of a domain's disks. */
#include "cmd/attach-print.h"
#include "cmd/options.h"

#define MAX_DISKS 256

enum { OPTION_DISK = OPTION_OWN, OPTION_DRY_RUN };

static const struct option own[] = {
	{"disk", required_argument, NULL, OPTION_DISK},
	{"dry-run", no_argument, NULL, OPTION_DRY_RUN},
	{0},
};

static enum exit_code run(const struct cmd *cmd, int argc, char **argv)
{
	struct options options = options_init(cmd);
	const char *targets[MAX_DISKS];
	struct attach_request request = {.targets = targets};
	struct attach_report report;
	struct err err = {0};
	int option;

	while ((option = options_next(&options, own, argc, argv)) >= 0) {
		if (option == OPTION_DRY_RUN)
			request.dry_run = true;
		else if (request.nr_targets < MAX_DISKS)
			targets[request.nr_targets++] = optarg;
	}
	options_operands(&options, 1, 1, argc, argv);
	request.connect = options.connect;
	request.domain = argv[optind];
	(void)attach_run(&request, &report, &err);
	return attach_print(&options, &report, "attached", request.dry_run,
			    &err);
}

const struct cmd cmd_attach = {
	.name = "attach",
	.arguments = "DOMAIN",
	.summary = "Track the disks of a domain, from its next start on",
	.options = "      --disk=TARGET     only this disk (vda); may be "
		   "repeated\n"
		   "      --dry-run         show what would change in the "
		   "domain's XML\n",
	.run = run,
};
