/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A signal handler can reach nothing but a static variable: this flag is the
 * only one of the program.
 */
#include "job/interrupt.h"

#include <sys/time.h>

static volatile sig_atomic_t interrupted;

static void note_signal(int signal)
{
	interrupted = signal;
}

const volatile sig_atomic_t *interrupt_catch(void)
{
	struct sigaction action = {.sa_handler = note_signal};

	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
	sigaction(SIGHUP, &action, NULL);
	return &interrupted;
}

/* Blocked they would be only in this thread. */
bool interrupt_ignore(uint32_t within_ms)
{
	const struct sigaction action = {.sa_handler = note_signal};
	const struct itimerval timer = {
		.it_value = {.tv_sec = within_ms / 1000,
			     .tv_usec = within_ms % 1000 * 1000}};
	bool came;

	signal(SIGINT, SIG_IGN);
	signal(SIGTERM, SIG_IGN);
	signal(SIGHUP, SIG_IGN);
	sigaction(SIGALRM, &action, NULL);
	/* Takes the place of an earlier one, which may have come. */
	setitimer(ITIMER_REAL, &timer, NULL);
	came = interrupted;
	interrupted = 0;
	return came;
}
