/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A wrong command line never reaches a job: options_next() and
 * options_operands() end the process themselves, before anything was opened.
 */
#include "cmd/options.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/io.h"
#include "base/quantity.h"
#include "job/far-command.h"
#include "repo/json.h"

enum { OPTION_OUTPUT = 0x100, OPTION_PROGRESS, OPTION_CONNECT };
enum { MAX_OWN = 16 };

static const struct option common[] = {
	{"help", no_argument, NULL, 'h'},
	{"quiet", no_argument, NULL, 'q'},
	{"output", required_argument, NULL, OPTION_OUTPUT},
	{"progress", no_argument, NULL, OPTION_PROGRESS},
	{"connect", required_argument, NULL, OPTION_CONNECT},
	{0},
};

struct options options_init(const struct cmd *cmd)
{
	return (struct options){
		.cmd = cmd, .usage_exit = EXIT_USAGE, .ui = ui_init()};
}

static void print_help(const struct cmd *cmd)
{
	printf("Usage: dsync-vm %s [OPTION]... %s\n\n%s.\n\n", cmd->name,
	       cmd->arguments, cmd->summary);
	if (cmd->options)
		printf("%s", cmd->options);
	printf("  -c, --connect=URI     libvirt's URI (default: libvirt's own)\n"
	       "      --output=json     one JSON object on stdout\n"
	       "      --progress        show progress though not on a terminal\n"
	       "  -q, --quiet           only warnings and errors\n"
	       "  -h, --help            this text\n\n"
	       "The manual page dsync-vm-%s(8) says more.\n",
	       cmd->name);
}

enum exit_code options_usage(const struct options *options, const char *format,
			     ...)
{
	va_list ap;

	fprintf(stderr, "dsync-vm %s: ", options->cmd->name);
	va_start(ap, format);
	vfprintf(stderr, format, ap);
	va_end(ap);
	fprintf(stderr, "\nUsage: dsync-vm %s [OPTION]... %s\n",
		options->cmd->name, options->cmd->arguments);
	return options->usage_exit;
}

static void take_output(struct options *options, const char *format)
{
	if (strcmp(format, "json") == 0)
		options->json = true;
	else if (strcmp(format, "text") == 0)
		options->json = false;
	else
		exit(options_usage(options, "--output=%s: text or json",
				   format));
}

void options_give(struct options *options, const char *name, const char *value)
{
	if (options->nr_given < OPTIONS_MAX_GIVEN)
		options->given[options->nr_given++] =
			(struct options_given){.name = name, .value = value};
}

/* For the same command elsewhere; what is about this host is not for it. */
static void record(struct options *options, const struct option *all, int value)
{
	if (value == OPTION_CONNECT || value == 'c' || value < 0)
		return;
	for (; all->name; all++)
		if (all->val == value)
			options_give(options, all->name,
				     all->has_arg ? optarg : NULL);
}

int options_next(struct options *options, const struct option *own, int argc,
		 char **argv)
{
	struct option all[MAX_OWN + sizeof(common) / sizeof(*common)];
	int nr_own = 0, value;

	for (; own && own[nr_own].name && nr_own < MAX_OWN; nr_own++)
		all[nr_own] = own[nr_own];
	memcpy(all + nr_own, common, sizeof(common));
	for (;;) {
		value = getopt_long(argc, argv, "hqc:", all, NULL);
		record(options, all, value);
		switch (value) {
		case 'h':
			print_help(options->cmd);
			exit(EXIT_OK);
		case 'q':
			options->ui.quiet = true;
			break;
		case OPTION_OUTPUT:
			take_output(options, optarg);
			break;
		case OPTION_PROGRESS:
			options->ui.progress = true;
			break;
		case 'c':
		case OPTION_CONNECT:
			options->connect = optarg;
			break;
		case '?':
			fprintf(stderr, "Try 'dsync-vm %s --help'.\n",
				options->cmd->name);
			exit(options->usage_exit);
		default:
			return value;
		}
	}
}

int options_operands(const struct options *options, int min, int max, int argc,
		     char **argv)
{
	int count = argc - optind;

	if (count < min)
		exit(options_usage(options, "an argument is missing"));
	if (count > max)
		exit(options_usage(options, "'%s': one argument too many",
				   argv[optind + max]));
	return count;
}

enum exit_code options_bwlimit(const struct options *options, const char *text,
			       uint64_t *ret_bytes)
{
	if (quantity_bytes(text, ret_bytes))
		return EXIT_OK;
	return options_usage(options,
			     "--bwlimit=%s: bytes a second, at least 1; K, M, "
			     "G or T may stand behind the number",
			     text);
}

static void print_report(struct json_object *report)
{
	_cleanup_free_ char *text = json_text(report);

	fputs(text ? text : "{}\n", stdout);
	fflush(stdout);
}

enum exit_code options_finish(const struct options *options,
			      const struct err *err, enum exit_code code,
			      struct json_object *report)
{
	_cleanup_json_ struct json_object *object = report;

	if (code == EXIT_OK)
		code = err_exit_code(err->code);
	if (err->code)
		fprintf(stderr, "dsync-vm %s: %s\n", options->cmd->name,
			err->text);
	if (!options->json)
		return code;
	if (!object)
		object = json_new();
	json_add_bool(object, "ok", err->code == 0);
	if (err->code)
		json_add_string(object, "error", err->text);
	json_add_uint(object, "exit_code", code);
	print_report(object);
	return code;
}

/* "--name=value", each of which the caller frees; NULL: out of memory. */
static char *given_again(const struct options_given *given)
{
	return io_format("--%s%s%s", given->name, given->value ? "=" : "",
			 given->value ? given->value : "");
}

enum exit_code options_run_there(struct options *options,
				 const char *repository, char **operands,
				 int count, int index)
{
	char *words[OPTIONS_MAX_GIVEN + 1] = {NULL};
	struct far_command command = {
		.location = repository,
		.name = options->cmd->name,
		.options = (const char *const *)words,
		.nr_options = options->nr_given,
		.operands = (const char *const *)operands,
		.nr_operands = count - 1,
	};
	enum exit_code code = EXIT_FAILED;
	struct err err = {0};

	if (options->nr_given == OPTIONS_MAX_GIVEN)
		return options_usage(options, "too many options");
	for (size_t i = 0; i < options->nr_given; i++)
		words[i] = given_again(&options->given[i]);
	if (options->ui.progress)
		words[command.nr_options++] = strdup("--progress");
	memmove(operands + index, operands + index + 1,
		(count - index - 1) * sizeof(*operands));
	if (far_command_run(&command, &code, &options->ui, &err) < 0)
		code = options_finish(options, &err, EXIT_OK, NULL);
	for (size_t i = 0; i < command.nr_options; i++)
		free(words[i]);
	return code;
}
