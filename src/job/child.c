/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Ctrl-C at a terminal is meant for all of its process group: a child is not
 * in ours, so that it hears of it once, from us.
 */
#include "job/child.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/err.h"
#include "job/ui.h"

#define SELF "/proc/self/exe"
#define PREFIX "dsync-vm backup: " /* of its errors */

static void become(const char *const argv[], int report_fd, int words_fd,
		   pid_t parent)
{
	int nothing = open("/dev/null", O_RDWR | O_CLOEXEC);

	setpgid(0, 0);
	prctl(PR_SET_PDEATHSIG, SIGTERM);
	if (getppid() != parent || dup2(nothing, STDIN_FILENO) < 0 ||
	    dup2(report_fd, STDOUT_FILENO) < 0 ||
	    dup2(words_fd, STDERR_FILENO) < 0)
		_exit(EXIT_FAILED);
	execv(SELF, (char *const *)argv);
	_exit(EXIT_FAILED);
}

int child_start(struct child *child, const char *name, const char *const argv[],
		struct err *err)
{
	pid_t parent = getpid();
	int report[2], words[2];

	*child = (struct child){.name = name, .report_fd = -1, .words_fd = -1};
	child->report = open_memstream(&child->text, &child->size);
	if (!child->report)
		return fail(err, -ENOMEM, "out of memory");
	if (pipe2(report, O_CLOEXEC) < 0)
		return fail_errno(err, -errno, "pipe");
	child->report_fd = report[0];
	if (pipe2(words, O_CLOEXEC) < 0) {
		close(report[1]);
		return fail_errno(err, -errno, "pipe");
	}
	child->words_fd = words[0];
	child->pid = fork();
	if (child->pid == 0)
		become(argv, report[1], words[1], parent);
	close(report[1]);
	close(words[1]);
	if (child->pid < 0) {
		child->pid = 0;
		return fail_errno(err, -errno, "fork");
	}
	return 0;
}

/* What follows the last sequence that erases what was drawn. */
static const char *behind_erasing(const char *text)
{
	const char *behind = text, *escape;

	while ((escape = strstr(behind, "\033[")) != NULL)
		behind = escape + 2 + strcspn(escape + 2, "JKAm") + 1;
	return behind;
}

static void take_line(struct child *child, bool is_drawn, struct ui *ui)
{
	const char *text;

	child->line[child->used] = '\0';
	child->used = 0;
	text = behind_erasing(child->line);
	if (is_drawn && *text)
		snprintf(child->drawn, sizeof(child->drawn), "%s", text);
	if (is_drawn)
		return;
	if (strncmp(text, PREFIX, strlen(PREFIX)) == 0)
		text += strlen(PREFIX);
	if (strstr(text, child->name))
		snprintf(child->last, sizeof(child->last), "%s", text);
	else
		snprintf(child->last, sizeof(child->last), "%s: %s",
			 child->name, text);
	ui_relay(ui, child->last);
}

static void take_words(struct child *child, const char *words, size_t count,
		       struct ui *ui)
{
	for (size_t i = 0; i < count; i++)
		if (words[i] == '\n' || words[i] == '\r')
			take_line(child, words[i] == '\r', ui);
		else if (child->used + 1 < sizeof(child->line))
			child->line[child->used++] = words[i];
}

void child_read(struct child *child, int fd, struct ui *ui)
{
	bool is_report = fd == child->report_fd;
	char buffer[4096];
	ssize_t count = read(fd, buffer, sizeof(buffer));

	if (count < 0 && errno == EINTR)
		return;
	if (count > 0 && is_report)
		fwrite(buffer, 1, count, child->report);
	else if (count > 0)
		take_words(child, buffer, count, ui);
	if (count > 0)
		return;
	close(fd);
	if (is_report)
		child->report_fd = -1;
	else
		child->words_fd = -1;
}

void child_stop(const struct child *child)
{
	if (child->pid)
		kill(child->pid, SIGTERM);
}

int child_end(struct child *child)
{
	int status = 0;

	while (child->pid && waitpid(child->pid, &status, 0) < 0)
		if (errno != EINTR)
			break;
	child->pid = 0;
	fclose(TAKE_PTR(child->report));
	if (WIFEXITED(status))
		return WEXITSTATUS(status);
	snprintf(child->last, sizeof(child->last), "was killed by signal %d",
		 WTERMSIG(status));
	return EXIT_FAILED;
}

void child_clear(struct child *child)
{
	if (child->report)
		fclose(child->report);
	cleanup_close(&child->report_fd);
	cleanup_close(&child->words_fd);
	free(child->text);
}
