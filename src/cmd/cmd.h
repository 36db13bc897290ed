/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A command is data: its name, what it takes, and the function behind it.
 * main.c looks the name up; options.c makes the help from the same strings,
 * so that the help cannot forget an option that the table has.
 */
#pragma once

#include "base/err.h"

struct cmd {
	const char *name;
	const char *arguments; /* as in "DOMAIN [TARGET]" */
	const char *summary;   /* half a line for the list of commands */
	const char *options;   /* help of its own options, NULL: none */
	/* Parses, calls a job, prints. argv[0] is the command's name. */
	enum exit_code (*run)(const struct cmd *cmd, int argc, char **argv);
};

extern const struct cmd cmd_attach;
extern const struct cmd cmd_detach;
extern const struct cmd cmd_backup;
extern const struct cmd cmd_restore;
extern const struct cmd cmd_list;
extern const struct cmd cmd_verify;
extern const struct cmd cmd_prune;
extern const struct cmd cmd_export;
extern const struct cmd cmd_status;
extern const struct cmd cmd_check;
extern const struct cmd cmd_ship;
extern const struct cmd cmd_extract;
extern const struct cmd cmd_merge;
extern const struct cmd cmd_mirror;
extern const struct cmd cmd_preseed;
extern const struct cmd cmd_target;
extern const struct cmd cmd_watchdog; /* not for people: see job/watchdog.h */
