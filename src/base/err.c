/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The first failure wins: what follows it, during unwinding, is a consequence
 * and would only hide the cause.
 */
#include "base/err.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

static void flatten(char *text)
{
	for (char *p = text; *p; p++)
		if (*p == '\n' || *p == '\r' || *p == '\t')
			*p = ' ';
	for (size_t n = strlen(text); n && text[n - 1] == ' '; n--)
		text[n - 1] = '\0';
}

/* False if there is nowhere to record it, or an earlier failure there. */
static bool record(struct err *err, int code, const char *format, va_list ap)
{
	if (!err || err->code)
		return false;
	err->code = code;
	vsnprintf(err->text, sizeof(err->text), format, ap);
	flatten(err->text);
	return true;
}

int fail(struct err *err, int code, const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	record(err, code, format, ap);
	va_end(ap);
	return code;
}

int fail_errno(struct err *err, int code, const char *format, ...)
{
	va_list ap;
	bool recorded;
	size_t used;

	va_start(ap, format);
	recorded = record(err, code, format, ap);
	va_end(ap);
	if (!recorded)
		return code;
	used = strlen(err->text);
	snprintf(err->text + used, sizeof(err->text) - used, ": %s",
		 strerror(-code));
	return code;
}

void err_prefix(struct err *err, const char *format, ...)
{
	char line[sizeof(err->text)];
	size_t used;
	va_list ap;

	if (!err || !err->code)
		return;
	va_start(ap, format);
	vsnprintf(line, sizeof(line), format, ap);
	va_end(ap);
	used = strlen(line);
	snprintf(line + used, sizeof(line) - used, ": %s", err->text);
	memcpy(err->text, line, sizeof(line));
	flatten(err->text);
}

void err_clear(struct err *err)
{
	err->code = 0;
	err->text[0] = '\0';
}

enum exit_code err_exit_code(int code)
{
	switch (-code) {
	case 0:
		return EXIT_OK;
	case EINVAL:
		return EXIT_USAGE;
	case EBUSY:
		return EXIT_BUSY;
	case ESTALE:
		return EXIT_WRONG_TARGET;
	case EBADMSG:
		return EXIT_MISMATCH;
	case EOPNOTSUPP:
		return EXIT_UNSUPPORTED;
	default:
		return EXIT_FAILED;
	}
}
