/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * fork and exec rather than posix_spawn, for two things that only the child
 * can do: ask to die with its parent, and put its own pid into LISTEN_PID.
 * Everything that allocates is done before the fork.
 */
#include "base/run.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>

#include "base/err.h"
#include "base/io.h"

#define FIRST_LISTEN_FD 3 /* sd_listen_fds(3) */
#define POLL_MS 5

extern char **environ;

/* The environment with the two variables of socket activation in front. */
static char **activation_environment(char *listen_pid)
{
	size_t count = 0;
	char **copy;

	while (environ[count])
		count++;
	copy = calloc(count + 3, sizeof(*copy));
	if (!copy)
		return NULL;
	copy[0] = listen_pid;
	copy[1] = (char *)"LISTEN_FDS=1";
	memcpy(copy + 2, environ, count * sizeof(*copy));
	return copy;
}

static void pass_listen_fd(int listen_fd)
{
	if (listen_fd == FIRST_LISTEN_FD)
		fcntl(listen_fd, F_SETFD, 0);
	else
		dup2(listen_fd, FIRST_LISTEN_FD);
}

static void write_decimal(char *to, unsigned long value)
{
	char digits[24];
	int n = 0;

	do
		digits[n++] = '0' + value % 10;
	while (value /= 10);
	while (n)
		*to++ = digits[--n];
	*to = '\0';
}

/* In the child, between fork and exec: async-signal-safe calls only. */
static void become(const char *const argv[], int talk_fd, int stderr_fd,
		   pid_t parent)
{
	sigset_t none;

	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	/* What we ignore it may have to hear. */
	signal(SIGINT, SIG_DFL);
	signal(SIGTERM, SIG_DFL);
	signal(SIGHUP, SIG_DFL);
	setpgid(0, 0);
	/* Not SIGTERM: a qemu-nbd that is still starting forgets it. */
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(127);
	if (talk_fd >= 0)
		dup2(talk_fd, STDIN_FILENO);
	dup2(talk_fd >= 0 ? talk_fd : stderr_fd, STDOUT_FILENO);
	dup2(stderr_fd, STDERR_FILENO);
	execvp(argv[0], (char *const *)argv);
	_exit(errno == ENOENT ? 127 : 126);
}

static int start(const char *const argv[], int listen_fd, int talk_fd,
		 struct run *ret_run, struct err *err)
{
	char listen_pid[sizeof("LISTEN_PID=") + 24] = "LISTEN_PID=";
	_cleanup_free_ char **env = activation_environment(listen_pid);
	_cleanup_close_ int reader = -1, writer = -1;
	pid_t parent = getpid(), pid;
	int ends[2];

	if (!env)
		return fail(err, -ENOMEM, "%s: out of memory", argv[0]);
	if (pipe2(ends, O_CLOEXEC) < 0)
		return fail_errno(err, -errno, "%s: pipe", argv[0]);
	reader = ends[0];
	/* Out of the way of descriptor 3, which the listener may take. */
	writer = fcntl(ends[1], F_DUPFD_CLOEXEC, FIRST_LISTEN_FD + 1);
	close(ends[1]);
	if (writer < 0)
		return fail_errno(err, -errno, "%s: pipe", argv[0]);
	pid = fork();
	if (pid < 0)
		return fail_errno(err, -errno, "%s: fork", argv[0]);
	if (pid == 0) {
		if (listen_fd >= 0) {
			write_decimal(listen_pid + strlen(listen_pid),
				      getpid());
			pass_listen_fd(listen_fd);
			environ = env;
		}
		become(argv, talk_fd, writer, parent);
	}
	*ret_run = (struct run){.pid = pid, .stderr_fd = TAKE_FD(reader)};
	snprintf(ret_run->name, sizeof(ret_run->name), "%s", argv[0]);
	return 0;
}

int run_start(const char *const argv[], int listen_fd, struct run *ret_run,
	      struct err *err)
{
	return start(argv, listen_fd, -1, ret_run, err);
}

int run_start_talking(const char *const argv[], int talk_fd,
		      struct run *ret_run, struct err *err)
{
	return start(argv, -1, talk_fd, ret_run, err);
}

/* Drains the pipe until the child closed it; keeps the last line. */
static void last_line(int fd, char *line, size_t room)
{
	size_t used = 0;
	bool fresh = true;
	char c;

	line[0] = '\0';
	while (read(fd, &c, 1) == 1) {
		if (c == '\n') {
			fresh = true;
			continue;
		}
		if (fresh)
			used = 0;
		fresh = false;
		if (used + 1 < room)
			line[used++] = c;
		line[used] = '\0';
	}
}

/* It is not running any more. */
static void forget(struct run *run)
{
	close(run->stderr_fd);
	run->pid = 0;
	run->stderr_fd = -1;
}

int run_exit_code(struct run *run)
{
	int status;

	while (waitpid(run->pid, &status, 0) < 0)
		if (errno != EINTR)
			return 127;
	forget(run);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

int run_wait(struct run *run, struct err *err)
{
	char line[400];
	int status;

	if (!run->pid)
		return 0;
	last_line(run->stderr_fd, line, sizeof(line));
	while (waitpid(run->pid, &status, 0) < 0)
		if (errno != EINTR)
			return fail_errno(err, -errno, "%s", run->name);
	forget(run);
	if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
		return 0;
	if (WIFEXITED(status) && WEXITSTATUS(status) == 127 && !line[0])
		return fail(err, -ENOENT, "%s: not found; is it installed?",
			    run->name);
	if (line[0])
		return fail(err, -EIO, "%s", line);
	if (WIFSIGNALED(status))
		return fail(err, -EIO, "%s: killed by signal %d", run->name,
			    WTERMSIG(status));
	return fail(err, -EIO, "%s: exit code %d", run->name,
		    WEXITSTATUS(status));
}

bool run_has_ended(const struct run *run, int wait_ms)
{
	const struct timespec pause = {.tv_nsec = POLL_MS * 1000000L};
	siginfo_t info;

	for (;; wait_ms -= POLL_MS) {
		info.si_pid = 0;
		if (waitid(P_PID, run->pid, &info,
			   WEXITED | WNOHANG | WNOWAIT) == 0 &&
		    info.si_pid)
			return true;
		if (wait_ms <= 0)
			return false;
		nanosleep(&pause, NULL);
	}
}

int run_stop(struct run *run, struct err *err)
{
	if (!run->pid)
		return 0;
	kill(run->pid, SIGTERM);
	return run_wait(run, err);
}

void run_kill(struct run *run)
{
	if (!run->pid)
		return;
	kill(run->pid, SIGKILL);
	while (waitpid(run->pid, NULL, 0) < 0 && errno == EINTR)
		;
	forget(run);
}

int run_command(const char *const argv[], struct err *err)
{
	_cleanup_run_ struct run run = {.stderr_fd = -1};
	int r = run_start(argv, -1, &run, err);

	if (r < 0)
		return r;
	return run_wait(&run, err);
}
