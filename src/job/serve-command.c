/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Commands that only look at a repository, or thin it out, are run where it
 * is: what they read does not go over the network.
 *
 * The peer may choose among a few commands, and options that are harmless;
 * what it names are a domain and points, never a path.
 */
#include <string.h>
#include <sys/socket.h>

#include "base/io.h"
#include "job/serve-parts.h"
#include "repo/json.h"

#define MAX_WORDS 4096 /* points of a verify */
#define CHUNK_BYTES 4096
#define SELF "/proc/self/exe"

/* How many operands there are before the repository: at least, and at most. */
static const struct command {
	const char *name;
	size_t at_least, nr_before;
} commands[] = {{"list", 0, 1}, {"verify", 1, 1}, {"prune", 1, 1}};

static const char *const options[] = {
	"--quiet",   "--progress",    "--all",
	"--dry-run", "--output=json", "--output=text",
};

/* With a value of letters, digits and dashes. */
static const char *const options_with_value[] = {
	"--keep-last=",    "--keep-hourly=", "--keep-daily=", "--keep-weekly=",
	"--keep-monthly=", "--keep-yearly=", "--protect=",    "--unprotect=",
};

static bool is_one_of(const char *word, const char *const *list, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (strcmp(list[i], word) == 0)
			return true;
	return false;
}

static bool is_harmless(const char *word)
{
	size_t nr = sizeof(options_with_value) / sizeof(*options_with_value);

	for (size_t i = 0; i < nr; i++) {
		size_t length = strlen(options_with_value[i]);
		const char *value = word + length;

		if (strncmp(word, options_with_value[i], length) == 0)
			return value[strspn(value, "abcdefghijklmnopqrstuvwxyz"
						   "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
						   "0123456789-")] == '\0';
	}
	return is_one_of(word, options, sizeof(options) / sizeof(*options));
}

/* ------------------------------------------------------- what is to be run */

static int take_options(const struct json_object *json, const char **argv,
			size_t *nr, struct err *err)
{
	const struct json_object *array;
	size_t count;
	int r = json_get_array(json, "options", MAX_WORDS, &array, &count, err);

	for (size_t i = 0; i < count && r == 0; i++) {
		r = json_get_string_item(array, i, &argv[*nr], err);
		if (r == 0 && !is_harmless(argv[*nr]))
			r = fail(err, -EACCES, "%s: not over ssh", argv[*nr]);
		(*nr)++;
	}
	return r;
}

/* A domain, the repository, points: where one could be a path, it is ours. */
static int take_operands(const struct json_object *json, const char *repository,
			 const struct command *command, const char **argv,
			 size_t *nr, struct err *err)
{
	const struct json_object *array;
	size_t count;
	int r = json_get_array(json, "operands", MAX_WORDS, &array, &count,
			       err);

	if (r < 0)
		return r;
	if (count < command->at_least)
		return fail(err, -EPROTO, "an operand is missing");
	for (size_t i = 0; i < count && r == 0; i++) {
		if (i == command->nr_before)
			argv[(*nr)++] = repository;
		r = json_get_string_item(array, i, &argv[*nr], err);
		(*nr)++;
	}
	if (count <= command->nr_before)
		argv[(*nr)++] = repository;
	return r;
}

static const struct command *find_command(const struct json_object *json,
					  struct err *err)
{
	const char *name;

	if (json_get_string(json, "command", &name, err) < 0)
		return NULL;
	for (size_t i = 0; i < sizeof(commands) / sizeof(*commands); i++)
		if (strcmp(commands[i].name, name) == 0)
			return &commands[i];
	fail(err, -EACCES, "%s: not over ssh", name);
	return NULL;
}

static int make_argv(const struct serve_call *call, const char *path,
		     const char **argv, struct err *err)
{
	const struct command *command = find_command(call->json, err);
	size_t nr = 0;
	int r;

	if (!command)
		return err->code;
	argv[nr++] = SELF;
	argv[nr++] = command->name;
	r = take_options(call->json, argv, &nr, err);
	argv[nr++] = "--";
	if (r == 0)
		r = take_operands(call->json, path, command, argv, &nr, err);
	argv[nr] = NULL;
	return r;
}

/* ------------------------------------------------------- what it has to say */

static void stop_watching(struct serve *serve, unsigned int number)
{
	struct serve_command *command = &serve->command;
	struct json_object *reply;

	channel_watch(serve->channel, number, -1, NULL, NULL);
	if (--command->nr_open)
		return;
	close(TAKE_FD(command->fd));
	reply = json_new();
	json_add_uint(reply, "exit_code", run_exit_code(&command->run));
	(void)far_message_send(serve->channel, FRAME_REPLY, reply, NULL, 0,
			       NULL);
}

/* How much of the end of @text is the beginning of a character. */
static size_t begun_bytes(const char *text, size_t size_bytes)
{
	for (size_t n = 1; n <= 3 && n <= size_bytes; n++) {
		uint8_t byte = text[size_bytes - n];
		size_t length = byte < 0xe0 ? 2 : byte < 0xf0 ? 3 : 4;

		if (byte < 0x80)
			return 0;
		if (byte >= 0xc0)
			return n < length ? n : 0;
	}
	return 0;
}

/* The peer shows no character that comes in two pieces. */
static void pass_on(struct serve *serve, unsigned int number, int fd,
		    enum frame_type type)
{
	struct serve_begun *begun = &serve->command.begun[number];
	char chunk[CHUNK_BYTES];
	ssize_t n = read(fd, chunk + begun->nr, sizeof(chunk) - begun->nr);
	size_t size_bytes = begun->nr + (n > 0 ? n : 0);

	if (n < 0 && errno == EINTR)
		return;
	memcpy(chunk, begun->bytes, begun->nr);
	begun->nr = n > 0 ? begun_bytes(chunk, size_bytes) : 0;
	size_bytes -= begun->nr;
	memcpy(begun->bytes, chunk + size_bytes, begun->nr);
	if (size_bytes)
		(void)channel_send(serve->channel, type, chunk, size_bytes,
				   NULL);
	if (n <= 0)
		stop_watching(serve, number);
}

static void pass_stdout(void *opaque)
{
	struct serve *serve = opaque;

	pass_on(serve, 0, serve->command.fd, FRAME_STDOUT);
}

static void pass_stderr(void *opaque)
{
	struct serve *serve = opaque;

	pass_on(serve, 1, serve->command.run.stderr_fd, FRAME_STDERR);
}

void serve_drop_command(struct serve *serve)
{
	struct serve_command *command = &serve->command;

	if (!command->run.pid)
		return;
	run_kill(&command->run);
	close(TAKE_FD(command->fd));
}

static int start(struct serve *serve, const char *const argv[], struct err *err)
{
	struct serve_command *command = &serve->command;
	_cleanup_close_ int theirs = -1;
	int ends[2], r;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) < 0)
		return fail_errno(err, -errno, "socketpair");
	theirs = ends[1];
	command->fd = ends[0];
	r = run_start_talking(argv, theirs, &command->run, err);
	if (r < 0) {
		close(TAKE_FD(command->fd));
		return r;
	}
	command->nr_open = 2;
	channel_watch(serve->channel, 0, command->fd, pass_stdout, serve);
	channel_watch(serve->channel, 1, command->run.stderr_fd, pass_stderr,
		      serve);
	return SERVE_LATER;
}

int serve_run_command(struct serve *serve, struct serve_call *call,
		      struct err *err)
{
	_cleanup_free_ const char **argv =
		calloc(2 * MAX_WORDS + 8, sizeof(*argv));
	_cleanup_free_ char *path = NULL;
	int r;

	if (!argv)
		return fail(err, -ENOMEM, "out of memory");
	if (serve->to || serve->command.run.pid)
		return fail(err, -EPROTO, "out of turn");
	path = serve_path(serve, call, err);
	if (!path)
		return err->code;
	r = make_argv(call, path, argv, err);
	return r < 0 ? r : start(serve, argv, err);
}
