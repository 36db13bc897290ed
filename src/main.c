/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The table of commands: dispatch and help come from it alone. */
#include <locale.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "cmd/cmd.h"

static const struct cmd *const commands[] = {
	&cmd_attach, &cmd_detach,  &cmd_backup, &cmd_restore,
	&cmd_list,   &cmd_verify,  &cmd_prune,  &cmd_export,
	&cmd_mirror, &cmd_preseed, &cmd_status, &cmd_check,
	&cmd_ship,   &cmd_extract, &cmd_merge,  &cmd_target,
};

#define NR_COMMANDS (sizeof(commands) / sizeof(*commands))

static void print_help(FILE *to)
{
	fprintf(to, "Usage: dsync-vm COMMAND [OPTION]... [ARGUMENT]...\n\n"
		    "Incremental backup of virtual machines on raw disks.\n\n");
	for (size_t i = 0; i < NR_COMMANDS; i++)
		fprintf(to, "  %-10s %s\n", commands[i]->name,
			commands[i]->summary);
	fprintf(to, "\n'dsync-vm COMMAND --help' says what it takes.\n");
}

static const struct cmd *find(const char *name)
{
	if (strcmp(name, cmd_watchdog.name) == 0)
		return &cmd_watchdog;
	for (size_t i = 0; i < NR_COMMANDS; i++)
		if (strcmp(commands[i]->name, name) == 0)
			return commands[i];
	return NULL;
}

int main(int argc, char **argv)
{
	const struct cmd *cmd;

	setlocale(LC_CTYPE, "");
	/* A reader of our output that goes away is an error, not a death. */
	signal(SIGPIPE, SIG_IGN);
	if (argc < 2) {
		print_help(stderr);
		return EXIT_USAGE;
	}
	if (strcmp(argv[1], "-h") == 0 || strcmp(argv[1], "--help") == 0) {
		print_help(stdout);
		return EXIT_OK;
	}
	if (strcmp(argv[1], "--version") == 0) {
		printf("dsync-vm %s\n", VERSION);
		return EXIT_OK;
	}
	cmd = find(argv[1]);
	if (!cmd) {
		fprintf(stderr,
			"dsync-vm: '%s': no such command; "
			"'dsync-vm --help' lists them\n",
			argv[1]);
		return EXIT_USAGE;
	}
	return cmd->run(cmd, argc - 1, argv + 1);
}
