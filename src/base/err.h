/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One error, said once.
 *
 * Everything below cmd/ and job/ is silent: a function that fails returns a
 * negative errno and leaves in its struct err one line that names the thing,
 * the cause and, where there is one, the remedy.  The line is written where
 * the failure is understood and travels up unchanged; err_prefix() adds what
 * only the caller knows.
 *
 * The errno is also the error's class.  Four of them stand for an exit code
 * of their own (see err_exit_code()):
 *
 *	-EBUSY		somebody else holds it		exit 5
 *	-ESTALE		not the target it was		exit 6
 *	-EBADMSG	content is not what it was	exit 7
 *	-EOPNOTSUPP	cannot be done on this host	exit 8
 *
 * and -EINVAL from the command line is a usage error, exit 2.
 */
#pragma once

#include <errno.h>

enum exit_code {
	EXIT_OK = 0,
	EXIT_FAILED = 1,
	EXIT_USAGE = 2,
	EXIT_WARNINGS = 3,
	EXIT_RESYNCED = 4,
	EXIT_BUSY = 5,
	EXIT_WRONG_TARGET = 6,
	EXIT_MISMATCH = 7,
	EXIT_UNSUPPORTED = 8,
};

struct err {
	int code;       /* negative errno, 0 as long as nothing failed */
	char text[640]; /* one line, no newline, no final full stop */
};

/*
 * Records a failure and returns @code, so that a function can end with
 * "return fail(err, -ENOENT, ...)".  A second failure does not overwrite the
 * first one.  @err may be NULL.
 */
int fail(struct err *err, int code, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* The same for a failed system call: appends ": " and the text of @code. */
int fail_errno(struct err *err, int code, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* Puts "prefix: " in front of the recorded line, if there is one. */
void err_prefix(struct err *err, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* Forgets the recorded failure, after it was dealt with. */
void err_clear(struct err *err);

/* The process exit code that stands for @code (a negative errno or 0). */
enum exit_code err_exit_code(int code);
