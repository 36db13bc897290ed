/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The encoding is canonical: a directory name that domain_name_encode() would
 * not have made is not decoded, so two directories never mean one domain.
 */
#include "repo/point.h"

#include <ctype.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/err.h"
#include "base/io.h"

#define MAX_TARGET_LENGTH 63

static bool all_digits(const char *text, size_t length)
{
	for (size_t i = 0; i < length; i++)
		if (!isdigit((unsigned char)text[i]))
			return false;
	return true;
}

bool point_valid(const char *name)
{
	const char *suffix;
	size_t length;

	/* Short circuit: a shorter name ends the test before its end. */
	if (!all_digits(name, 8) || name[8] != 'T' ||
	    !all_digits(name + 9, 6) || name[15] != 'Z')
		return false;
	suffix = name + POINT_STAMP_LENGTH;
	if (!*suffix)
		return true;
	length = strlen(suffix);
	return suffix[0] == '-' && length >= 2 && length <= 10 &&
	       suffix[1] != '0' && all_digits(suffix + 1, length - 1);
}

bool disk_target_valid(const char *target)
{
	size_t length = strlen(target);

	if (length < 1 || length > MAX_TARGET_LENGTH)
		return false;
	for (size_t i = 0; i < length; i++)
		if (!isalnum((unsigned char)target[i]) && target[i] != '-' &&
		    target[i] != '_')
			return false;
	return true;
}

char *image_file_name(const char *target, const char *point)
{
	return io_format("disks/%s/%s.qcow2", target, point);
}

void point_stamp(time_t now, char ret_point[POINT_SIZE])
{
	struct tm tm;

	gmtime_r(&now, &tm);
	strftime(ret_point, POINT_SIZE, "%Y%m%dT%H%M%SZ", &tm);
}

time_t point_time(const char *point)
{
	struct tm tm = {0};

	if (!point_valid(point) || !strptime(point, "%Y%m%dT%H%M%SZ", &tm))
		return 0;
	return timegm(&tm);
}

void utc_format(time_t when, char ret_text[UTC_SIZE])
{
	struct tm tm;

	gmtime_r(&when, &tm);
	strftime(ret_text, UTC_SIZE, "%Y-%m-%dT%H:%M:%SZ", &tm);
}

int utc_parse(const char *text, time_t *ret_when)
{
	char again[UTC_SIZE];
	struct tm tm = {0};
	const char *end = strptime(text, "%Y-%m-%dT%H:%M:%SZ", &tm);
	time_t when;

	if (!end || *end)
		return -EBADMSG;
	when = timegm(&tm);
	/* strptime takes 31 February, timegm makes 3 March of it. */
	utc_format(when, again);
	if (strcmp(text, again) != 0)
		return -EBADMSG;
	*ret_when = when;
	return 0;
}

static bool unreserved(char c)
{
	return isalnum((unsigned char)c) || (c && strchr("-._~", c));
}

/* Names that mean something else in a repository. */
static bool taken(const char *name)
{
	static const char *const names[] = {"",
					    ".",
					    "..",
					    ".lock",
					    "dsync-repo.json",
					    "dsync-repo.json.tmp"};

	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
		if (strcmp(name, names[i]) == 0)
			return true;
	return false;
}

char *domain_name_encode(const char *name, struct err *err)
{
	_cleanup_free_ char *encoded = malloc(strlen(name) * 3 + 1);
	char *to = encoded;

	if (!encoded) {
		fail(err, -ENOMEM, "out of memory");
		return NULL;
	}
	for (const char *from = name; *from; from++)
		if (unreserved(*from))
			*to++ = *from;
		else
			to += sprintf(to, "%%%02X", (unsigned char)*from);
	*to = '\0';
	if (taken(name)) {
		fail(err, -EINVAL, "\"%s\" cannot be the name of a domain",
		     name);
		return NULL;
	}
	if (strlen(encoded) > NAME_MAX) {
		fail(err, -ENAMETOOLONG,
		     "the domain name %.40s... is too long for a directory",
		     name);
		return NULL;
	}
	return TAKE_PTR(encoded);
}

static int hex_digit(char c)
{
	static const char digits[] = "0123456789ABCDEF";
	const char *found = c ? strchr(digits, c) : NULL;

	return found ? (int)(found - digits) : -1;
}

char *domain_name_decode(const char *encoded)
{
	_cleanup_free_ char *name = malloc(strlen(encoded) + 1), *again = NULL;
	char *to = name;

	if (!name)
		return NULL;
	for (const char *from = encoded; *from; from++) {
		int high, low;

		if (*from != '%') {
			*to++ = *from;
			continue;
		}
		high = hex_digit(from[1]);
		low = high < 0 ? -1 : hex_digit(from[2]);
		if (low < 0 || high * 16 + low == 0)
			return NULL;
		*to++ = (char)(high * 16 + low);
		from += 2;
	}
	*to = '\0';
	again = domain_name_encode(name, NULL);
	if (!again || strcmp(again, encoded) != 0)
		return NULL;
	return TAKE_PTR(name);
}
