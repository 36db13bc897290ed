/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Other programs: qemu-img to make an image, qemu-nbd to serve it.
 *
 * A child dies with us (PR_SET_PDEATHSIG): a tool that was killed leaves no
 * server behind.  Signals meant for the terminal's process group are not for
 * it: it is told to end by us, after what is in flight was dealt with.
 */
#pragma once

#include <stdbool.h>
#include <sys/types.h>

#include "base/cleanup.h"

struct err;

struct run {
	pid_t pid;     /* 0: not running */
	int stderr_fd; /* what it complains about, -1: none */
	char name[64]; /* for messages */
};

/*
 * Starts @argv (searched in PATH). @listen_fd, if not -1, becomes its file
 * descriptor 3 by systemd's socket activation protocol. @ret_run is to be
 * ended by run_wait() or run_stop().
 */
int run_start(const char *const argv[], int listen_fd, struct run *ret_run,
	      struct err *err);

/* The same, with @talk_fd as its standard input and output. */
int run_start_talking(const char *const argv[], int talk_fd,
		      struct run *ret_run, struct err *err);

/* True if it ends within @wait_ms; it stays to be waited for. */
bool run_has_ended(const struct run *run, int wait_ms);

/* Waits for its end. An exit code but 0 fails with its last line of stderr. */
int run_wait(struct run *run, struct err *err);

/*
 * Waits for the end of a program whose stderr is read by the caller. Returns
 * its exit code, 128 and its number for a signal.
 */
int run_exit_code(struct run *run);

/* SIGTERM, then run_wait(): for a server that ends cleanly when told so. */
int run_stop(struct run *run, struct err *err);

/* SIGKILL and no questions asked; does nothing if it is not running. */
void run_kill(struct run *run);
#define _cleanup_run_ _cleanup_(run_kill)

/* run_start() and run_wait() in one. */
int run_command(const char *const argv[], struct err *err);
