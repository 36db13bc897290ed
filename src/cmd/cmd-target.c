/* SPDX-License-Identifier: GPL-2.0-or-later */
/* dsync-vm target: the far side of a backup over ssh. */
#include <stdio.h>
#include <unistd.h>

#include "cmd/options.h"
#include "job/serve.h"

enum { OPTION_REPO = OPTION_OWN };

static const struct option own[] = {
	{"repo", required_argument, NULL, OPTION_REPO},
	{0},
};

static enum exit_code run(const struct cmd *cmd, int argc, char **argv)
{
	struct options options = options_init(cmd);
	const char *only = NULL;
	struct err err = {0};

	while (options_next(&options, own, argc, argv) >= 0)
		only = optarg;
	options_operands(&options, 0, 0, argc, argv);
	(void)serve_run(only, STDIN_FILENO, STDOUT_FILENO, &err);
	return options_finish(&options, &err, EXIT_OK, NULL);
}

const struct cmd cmd_target = {
	.name = "target",
	.arguments = "[--repo=DIR]",
	.summary = "Be the far side of a backup over ssh",
	.options =
		"Not for people: ssh starts it on the host that has the "
		"repository. As a forced\ncommand in authorized_keys, it is "
		"all that a key may do there.\n\n"
		"      --repo=DIR        the only repository that may be used\n",
	.run = run,
};
