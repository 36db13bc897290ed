/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A command of ours that runs on the far side, where the repository is. */
#pragma once

#include <stddef.h>

#include "base/err.h"

struct ui;

struct far_command {
	const char *location; /* ssh:// */
	const char *name;     /* verify */
	/* As they would be given there, but for the repository. */
	const char *const *options;
	size_t nr_options;
	const char *const *operands;
	size_t nr_operands;
};

struct far;

/*
 * Runs it; what it prints is printed here. Returns its exit code in @ret_code;
 * an error if it was not run to its end.
 */
int far_command_run(const struct far_command *command, enum exit_code *ret_code,
		    struct ui *ui, struct err *err);
/* The same on a connection that has nothing open. */
int far_command_run_on(struct far *far, const struct far_command *command,
		       enum exit_code *ret_code, struct err *err);
