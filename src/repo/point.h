/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Names that become file names: of points, of disks, of domains.  They come
 * from manifests and command lines, so each has one test that everything
 * passes before it becomes part of a path.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <time.h>

struct err;

/* YYYYMMDDTHHMMSSZ, and -N with up to nine digits when that was taken. */
#define POINT_SIZE 32 /* with its terminating zero */
#define POINT_STAMP_LENGTH 16

bool point_valid(const char *name);

/* True for [A-Za-z0-9_-], 1 to 63 of them: vda, sdb, hdc. */
bool disk_target_valid(const char *target);

/*
 * The image of a disk at a point, relative to its domain's directory:
 * disks/<target>/<point>.qcow2. The caller frees it; NULL: out of memory.
 */
char *image_file_name(const char *target, const char *point);

/* The stamp of @now, in UTC. */
void point_stamp(time_t now, char ret_point[POINT_SIZE]);

/* The way back from a point's name. 0: it is none. */
time_t point_time(const char *point);

/* RFC 3339 in UTC, to the second: 2026-01-31T23:59:59Z. */
#define UTC_SIZE 21
void utc_format(time_t when, char ret_text[UTC_SIZE]);
int utc_parse(const char *text, time_t *ret_when);

/*
 * The directory name of a domain: all but RFC 3986's unreserved characters
 * percent-encoded. NULL for names that cannot be one (empty, ".", "..",
 * longer than a file name may be) or without memory, with @err saying which.
 * The caller frees it.
 */
char *domain_name_encode(const char *name, struct err *err);
/* The way back; NULL if @encoded was not made by domain_name_encode(). */
char *domain_name_decode(const char *encoded);
