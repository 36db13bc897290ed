/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A dsync-vm of our own: what it does to one domain cannot hurt another one, and
 * neither can its crash.  It dies no sudden death with us: it is told to end.
 *
 * What it reports is kept, what it says is passed on by lines, and what it
 * draws, a line that begins with a carriage return, is there to be drawn by us.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/types.h>

struct err;
struct ui;

struct child {
	const char *name;        /* what it is about, for what it says */
	pid_t pid;               /* 0: not running */
	int report_fd, words_fd; /* its stdout and stderr; -1: at their end */
	FILE *report;
	char *text; /* of the report, after child_end() */
	size_t size;
	char line[1024]; /* of its words, as far as it came */
	size_t used;
	char last[640];  /* whole line that it said last */
	char drawn[256]; /* what it shows of its progress, "": nothing */
};

/*
 * Starts it with these arguments, of which the first two are the program and
 * the command. @name stays with the caller, and is put in front of each line
 * that does not mention it.
 */
int child_start(struct child *child, const char *name, const char *const argv[],
		struct err *err);

/* Takes what there is to read of @fd, one of its two; never waits. */
void child_read(struct child *child, int fd, struct ui *ui);

/* Tells it to end: it puts everything back first. */
void child_stop(const struct child *child);

/*
 * After both ends were reached: waits for it. Returns its exit code, or
 * EXIT_FAILED if a signal ended it, which ->last then says.
 */
int child_end(struct child *child);

/* Frees what is left of it, after child_end(). */
void child_clear(struct child *child);
