/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * dsync-vm check: for Nagios, Icinga and who else runs its plugins: one line,
 * more of them behind it, and an exit code that is theirs, not ours.
 *
 * It must end, whatever libvirt or a disk does.  So it is a child that looks
 * and prints, and a parent that passes on what was printed, if that comes in
 * time: a process that hangs in the kernel cannot even be killed.
 */
#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include "base/quantity.h"
#include "cmd/options.h"
#include "job/check.h"
#include "repo/json.h"

#define TIMEOUT_S 30 /* Nagios itself gives up after 60 */

enum { OPTION_WARNING = OPTION_OWN, OPTION_CRITICAL, OPTION_TIMEOUT };

static const struct option own[] = {
	{"warning", required_argument, NULL, OPTION_WARNING},
	{"critical", required_argument, NULL, OPTION_CRITICAL},
	{"timeout", required_argument, NULL, OPTION_TIMEOUT},
	{0},
};

static const char *const words[] = {
	[CHECK_OK] = "OK",
	[CHECK_WARNING] = "WARNING",
	[CHECK_CRITICAL] = "CRITICAL",
	[CHECK_UNKNOWN] = "UNKNOWN",
};

/* ---------------------------------------------------------------- printing */

/* In a line of a plugin what is behind a bar is numbers. */
static void print_plain(const char *text)
{
	for (; *text; text++)
		putchar(*text == '|' || *text == '\n' ? '/' : *text);
}

/* A label is in single quotes, and has neither them nor an equals sign. */
static void print_label(const char *text, const char *kind)
{
	printf(" '");
	for (; *text; text++)
		putchar(strchr("'=|\n", *text) ? '_' : *text);
	printf("%s'=", kind);
}

static void print_numbers(const struct check_report *report)
{
	if (report->nr_ages)
		printf(" |");
	for (size_t i = 0; i < report->nr_ages; i++) {
		const struct check_age *age = &report->ages[i];

		print_label(age->what, " age");
		/* U: could not be measured */
		if (age->never)
			printf("U");
		else
			printf("%" PRIu64 "s;%" PRIu64 ";%" PRIu64 ";0",
			       age->age_s, age->warning_s, age->critical_s);
		print_label(age->what, " pending");
		printf("%" PRIu64 "B;;;0", age->pending_bytes);
	}
	putchar('\n');
}

static void print_fine(const struct check_report *report)
{
	const struct check_age *oldest = NULL;
	char age[32];

	printf("%zu domains, %zu disks", report->nr_domains, report->nr_disks);
	for (size_t i = 0; i < report->nr_ages; i++)
		if (!oldest || report->ages[i].age_s > oldest->age_s)
			oldest = &report->ages[i];
	if (!oldest)
		return;
	printf(", oldest newest point: ");
	print_plain(oldest->what);
	printf(", %s", ui_age(age, oldest->age_s));
}

static void print_text(const struct check_report *report)
{
	enum check_level level = check_level(report);
	const struct check_finding *first = NULL;

	printf("DSYNC %s - ", words[level]);
	for (size_t i = 0; i < report->nr_findings && !first; i++)
		if (report->findings[i].level == level)
			first = &report->findings[i];
	if (first)
		print_plain(first->text);
	else if (report->no_memory)
		printf("out of memory");
	else
		print_fine(report);
	if (report->nr_findings > 1)
		printf(" (and %zu more)", report->nr_findings - 1);
	print_numbers(report);
	for (size_t i = 0; report->nr_findings > 1 && i < report->nr_findings;
	     i++) {
		printf("%s: ", words[report->findings[i].level]);
		print_plain(report->findings[i].text);
		putchar('\n');
	}
}

static void print_json(const struct check_report *report)
{
	_cleanup_json_ struct json_object *object = json_new();
	_cleanup_free_ char *text = NULL;
	struct json_object *list = json_add_array(object, "findings");

	for (size_t i = 0; i < report->nr_findings; i++) {
		struct json_object *item = json_append_object(list);

		json_add_string(item, "level",
				words[report->findings[i].level]);
		json_add_string(item, "text", report->findings[i].text);
	}
	list = json_add_array(object, "targets");
	for (size_t i = 0; i < report->nr_ages; i++) {
		const struct check_age *age = &report->ages[i];
		struct json_object *item = json_append_object(list);

		json_add_string(item, "what", age->what);
		if (!age->never)
			json_add_uint(item, "age_seconds", age->age_s);
		json_add_uint(item, "warning_seconds", age->warning_s);
		json_add_uint(item, "critical_seconds", age->critical_s);
		json_add_uint(item, "pending_bytes", age->pending_bytes);
	}
	json_add_string(object, "level", words[check_level(report)]);
	json_add_bool(object, "ok", check_level(report) == CHECK_OK);
	json_add_uint(object, "exit_code", check_level(report));
	text = json_text(object);
	fputs(text ? text : "{}\n", stdout);
}

/* ------------------------------------------------------------ in good time */

static enum check_level look(const struct options *options,
			     const struct check_request *request)
{
	struct check_report report;
	enum check_level level;

	check_run(request, &report);
	level = check_level(&report);
	if (options->json)
		print_json(&report);
	else
		print_text(&report);
	fflush(stdout);
	check_report_free(&report);
	return level;
}

/* Everything up to the end of @fd. False: that did not come in time. */
static bool read_all(int fd, unsigned int timeout_s, FILE *to)
{
	uint64_t by_ms = ui_now_ms() + timeout_s * UINT64_C(1000);
	struct pollfd poller = {.fd = fd, .events = POLLIN};
	char buffer[4096];

	for (;;) {
		uint64_t now_ms = ui_now_ms();
		ssize_t count;
		int r = now_ms < by_ms ? poll(&poller, 1, by_ms - now_ms) : 0;

		if (r < 0 && errno == EINTR)
			continue;
		if (r <= 0)
			return false;
		count = read(fd, buffer, sizeof(buffer));
		if (count <= 0)
			return true;
		fwrite(buffer, 1, count, to);
	}
}

static enum check_level relay(pid_t child, int fd, unsigned int timeout_s)
{
	_cleanup_free_ char *text = NULL;
	size_t size;
	FILE *to = open_memstream(&text, &size);
	bool complete = to && read_all(fd, timeout_s, to);
	int status = -1;

	if (to)
		fclose(to);
	if (!complete) {
		kill(child, SIGKILL);
		printf("DSYNC UNKNOWN - no answer in %u s: libvirt, or what "
		       "/var/lib/dsync-vm is on, hangs\n",
		       timeout_s);
		return CHECK_UNKNOWN;
	}
	fputs(text, stdout);
	while (waitpid(child, &status, 0) < 0 && errno == EINTR)
		;
	if (WIFEXITED(status) && size)
		return WEXITSTATUS(status);
	printf("DSYNC UNKNOWN - the check itself failed\n");
	return CHECK_UNKNOWN;
}

static enum check_level check(const struct options *options,
			      const struct check_request *request,
			      unsigned int timeout_s)
{
	pid_t parent = getpid(), child;
	int ends[2];

	if (pipe(ends) < 0 || (child = fork()) < 0) {
		printf("DSYNC UNKNOWN - fork: %s\n", strerror(errno));
		return CHECK_UNKNOWN;
	}
	if (child)
		close(ends[1]);
	else
		close(ends[0]);
	if (child)
		return relay(child, ends[0], timeout_s);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(CHECK_UNKNOWN);
	dup2(ends[1], STDOUT_FILENO);
	close(ends[1]);
	_exit(look(options, request));
}

static bool take(int option, struct check_request *request,
		 unsigned int *timeout_s)
{
	switch (option) {
	case OPTION_WARNING:
		return quantity_seconds(optarg, &request->warning_s);
	case OPTION_CRITICAL:
		return quantity_seconds(optarg, &request->critical_s);
	default:
		return quantity_number(optarg, 1, 3600, timeout_s);
	}
}

static enum exit_code run(const struct cmd *cmd, int argc, char **argv)
{
	struct options options = options_init(cmd);
	struct check_request request = {0};
	unsigned int timeout_s = TIMEOUT_S;
	int option;

	options.usage_exit = CHECK_UNKNOWN;
	while ((option = options_next(&options, own, argc, argv)) >= 0)
		if (!take(option, &request, &timeout_s))
			return options_usage(&options,
					     "'%s': an age is 26h or 3d, a "
					     "timeout 1 to 3600 seconds",
					     optarg);
	request.nr_domains = argc - optind;
	request.domains = argv + optind;
	request.connect = options.connect;
	return (enum exit_code)check(&options, &request, timeout_s);
}

const struct cmd cmd_check = {
	.name = "check",
	.arguments = "[DOMAIN]...",
	.summary = "Judge it as a monitoring plugin: exit 0 fine, 1 warning, "
		   "2 critical",
	.options = "AGE is a number of seconds, or with s, m, h, d or w behind "
		   "it.\n\n"
		   "      --warning=AGE     of the newest point (default: as "
		   "configured, else 26h)\n"
		   "      --critical=AGE    the same (default: as configured, "
		   "else 50h)\n"
		   "      --timeout=SECONDS give up after that (default: 30)\n",
	.run = run,
};
