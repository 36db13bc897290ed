/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * catch SIGNAL PID DEVICE: signals a process the moment that a device-mapper
 * device (its number, as in dm-7) is suspended. That is for milliseconds only,
 * so it looks without a pause. Exits with 1 if the process ended before.
 */
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

static bool is_suspended(int fd)
{
	char state = '0';

	return pread(fd, &state, 1, 0) == 1 && state == '1';
}

static bool is_gone(int pidfd)
{
	struct pollfd poller = {.fd = pidfd, .events = POLLIN};

	return poll(&poller, 1, 0) == 1;
}

int main(int argc, char **argv)
{
	char path[64];
	int signal_nr, fd, pidfd;
	pid_t pid;

	if (argc != 4)
		return 2;
	signal_nr = strcmp(argv[1], "STOP") == 0 ? SIGSTOP : SIGKILL;
	pid = atoi(argv[2]);
	snprintf(path, sizeof(path), "/sys/block/dm-%d/dm/suspended",
		 atoi(argv[3]));
	fd = open(path, O_RDONLY);
	pidfd = syscall(SYS_pidfd_open, pid, 0);
	if (fd < 0 || pidfd < 0) {
		perror(path);
		return 2;
	}
	while (!is_suspended(fd))
		if (is_gone(pidfd))
			return 1;
	return kill(pid, signal_nr) < 0;
}
