/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What every command understands: -h, -q, --output, --progress, --connect;
 * and how every command ends: one line of error, or one JSON object.
 */
#pragma once

#include <getopt.h>
#include <stddef.h>

#include "cmd/cmd.h"
#include "job/ui.h"

struct json_object;

/* An option as it was given, to be given again to a command elsewhere. */
struct options_given {
	const char *name, *value; /* NULL: it has none */
};

#define OPTIONS_MAX_GIVEN 64

struct options {
	const struct cmd *cmd;
	const char *connect; /* libvirt URI, NULL: libvirt's default */
	bool json;
	int usage_exit; /* for a wrong command line */
	struct ui ui;
	struct options_given given[OPTIONS_MAX_GIVEN];
	size_t nr_given;
};

/* Values for a command's own long options start here. */
enum { OPTION_OWN = 0x200 };

/* An options structure for @cmd before the first options_next(). */
struct options options_init(const struct cmd *cmd);

/*
 * getopt_long(3) with the common options added to @own (long options only,
 * ended by a zero entry) and handled. Returns the option's value, -1 after
 * the last one. -h and a wrong option end the process.
 */
int options_next(struct options *options, const struct option *own, int argc,
		 char **argv);

/*
 * Takes the operands behind the options: between @min and @max of them. Ends
 * the process with the usage line if there are fewer or more. Returns how
 * many; they are argv[optind] onwards.
 */
int options_operands(const struct options *options, int min, int max, int argc,
		     char **argv);

/* Says what is wrong with the command line; returns ->usage_exit. */
enum exit_code options_usage(const struct options *options, const char *format,
			     ...) __attribute__((format(printf, 2, 3)));

/* Takes the value of --bwlimit, bytes a second. EXIT_OK, or as
 * options_usage(). */
enum exit_code options_bwlimit(const struct options *options, const char *text,
			       uint64_t *ret_bytes);

/*
 * The end of a command: prints the error of @err, if it failed, on stderr,
 * and with --output json @report (consumed, may be NULL) with "ok", "error"
 * and "exit_code" added, on stdout. Returns @code, or, when that is EXIT_OK
 * and @err holds a failure, the exit code of that failure.
 */
enum exit_code options_finish(const struct options *options,
			      const struct err *err, enum exit_code code,
			      struct json_object *report);

/* As if the user had given --@name=@value, which stay with the caller; only for
 * options_run_there(). */
void options_give(struct options *options, const char *name, const char *value);

/*
 * The command runs where its @repository is, on another host: with the options
 * that were given, and all of the @count @operands but number @index, which is
 * the repository.
 */
enum exit_code options_run_there(struct options *options,
				 const char *repository, char **operands,
				 int count, int index);
