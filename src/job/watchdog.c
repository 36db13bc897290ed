/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The tool's end of the watchdog: starting it, telling it, ending it.
 * guard.c is the other end.
 */
#include "job/watchdog.h"

#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "base/cleanup.h"
#include "base/err.h"
#include "base/io.h"
#include "dm/stack.h"

#define READY_MS 10000
#define NR_FIXED_ARGUMENTS 7

extern char **environ;

struct arguments {
	char pid[16], freeze_ms[16], suspend_ms[16], pause_ms[16];
	const char **argv;
};

static void cleanup_arguments(struct arguments *arguments)
{
	free(arguments->argv);
}

/* PROGRAM watchdog PID FREEZE_MS SUSPEND_MS PAUSE_MS CONNECT UUID
 * [NAME DM_UUID]... */
static int make_arguments(const struct watchdog_plan *plan,
			  struct arguments *out)
{
	size_t n = 0;

	out->argv = calloc(NR_FIXED_ARGUMENTS + 2 + 2 * plan->nr_disks,
			   sizeof(*out->argv));
	if (!out->argv)
		return -ENOMEM;
	snprintf(out->pid, sizeof(out->pid), "%d", getpid());
	snprintf(out->freeze_ms, sizeof(out->freeze_ms), "%u",
		 plan->freeze_deadline_ms);
	snprintf(out->suspend_ms, sizeof(out->suspend_ms), "%u",
		 plan->suspend_deadline_ms);
	snprintf(out->pause_ms, sizeof(out->pause_ms), "%u",
		 plan->pause_deadline_ms);
	out->argv[n++] = "dsync-vm";
	out->argv[n++] = WATCHDOG_COMMAND;
	out->argv[n++] = out->pid;
	out->argv[n++] = out->freeze_ms;
	out->argv[n++] = out->suspend_ms;
	out->argv[n++] = out->pause_ms;
	out->argv[n++] = plan->connect ? plan->connect : "";
	out->argv[n++] = plan->domain_uuid;
	for (size_t i = 0; i < plan->nr_disks; i++) {
		out->argv[n++] = plan->disks[i].name;
		out->argv[n++] = plan->disks[i].uuid;
	}
	return 0;
}

static int spawn(const char *const argv[], int fd, pid_t *ret_pid)
{
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attributes;
	sigset_t all;
	int r;

	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_adddup2(&actions, fd, STDIN_FILENO);
	posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, "/dev/null",
					 O_WRONLY, 0);
	posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null",
					 O_WRONLY, 0);
	posix_spawnattr_init(&attributes);
	sigfillset(&all);
	posix_spawnattr_setsigdefault(&attributes, &all);
	posix_spawnattr_setflags(&attributes,
				 POSIX_SPAWN_SETSID | POSIX_SPAWN_SETSIGDEF);
	r = -posix_spawn(ret_pid, "/proc/self/exe", &actions, &attributes,
			 (char *const *)argv, environ);
	posix_spawnattr_destroy(&attributes);
	posix_spawn_file_actions_destroy(&actions);
	return r;
}

static int wait_ready(int fd)
{
	struct pollfd poller = {.fd = fd, .events = POLLIN};
	char byte;

	if (poll(&poller, 1, READY_MS) != 1)
		return -ETIMEDOUT;
	return read(fd, &byte, 1) == 1 ? 0 : -ECHILD;
}

int watchdog_start(const struct watchdog_plan *plan,
		   struct watchdog *ret_watchdog, struct err *err)
{
	_cleanup_(cleanup_arguments) struct arguments arguments = {
		.argv = NULL};
	_cleanup_close_ int ours = -1, theirs = -1;
	int ends[2], r;
	pid_t pid;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) < 0)
		return fail_errno(err, -errno, "watchdog: socketpair");
	ours = ends[0];
	theirs = ends[1];
	r = make_arguments(plan, &arguments);
	if (r == 0)
		r = spawn(arguments.argv, theirs, &pid);
	if (r < 0)
		return fail_errno(err, r, "cannot start the watchdog");
	close(TAKE_FD(theirs));
	r = wait_ready(ours);
	if (r < 0) {
		kill(pid, SIGKILL);
		waitpid(pid, NULL, 0);
		return fail(err, r,
			    "the watchdog did not get ready; "
			    "no guest is frozen without one");
	}
	*ret_watchdog = (struct watchdog){.fd = TAKE_FD(ours), .pid = pid};
	return 0;
}

int watchdog_step(struct watchdog *watchdog, enum watchdog_step step)
{
	char byte = step;

	if (step == WATCHDOG_HAND_OVER)
		watchdog->handed_over = true;
	return send(watchdog->fd, &byte, 1, MSG_NOSIGNAL) == 1 ? 0 : -EPIPE;
}

void watchdog_leave(struct watchdog *watchdog)
{
	watchdog->handed_over = true;
	close(TAKE_FD(watchdog->fd));
}

void watchdog_end(struct watchdog *watchdog)
{
	if (watchdog->fd < 0)
		return;
	watchdog_step(watchdog, WATCHDOG_END);
	close(TAKE_FD(watchdog->fd));
	if (!watchdog->handed_over)
		waitpid(watchdog->pid, NULL, 0);
}
