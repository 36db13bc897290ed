/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which points to keep: the last few, and of each hour, day, week, month and
 * year the newest one, as far back as each rule says.
 *
 * A rule counts only periods that no rule before it has a point of, so the
 * rules follow one another into the past: 24 hourly and 7 daily are a day of
 * hours and the week before that day.  Periods are those of the local time.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <time.h>

struct err;

enum keep_rule {
	KEEP_LAST,
	KEEP_HOURLY,
	KEEP_DAILY,
	KEEP_WEEKLY, /* from Monday, as ISO 8601 */
	KEEP_MONTHLY,
	KEEP_YEARLY,
	KEEP_NR_RULES,
};

struct keep {
	unsigned int count[KEEP_NR_RULES];
};

#define KEEP_MAX 10000u

/*
 * What is kept unless somebody says otherwise: about 80 points, which go back
 * five years and are read at half of the speed of one.
 */
struct keep keep_default(void);

/* "last", "hourly" and so on. */
const char *keep_name(enum keep_rule rule);

/* A decimal number up to KEEP_MAX. -EINVAL. */
int keep_parse(const char *text, unsigned int *ret_count);

/* True if all rules are 0, which would keep nothing. */
bool keep_is_nothing(const struct keep *keep);

/*
 * Of @count points, oldest first, made at @created: sets keep[i] of those to
 * be kept, leaving alone those that are set.
 */
void keep_choose(const struct keep *rules, const time_t *created, size_t count,
		 bool *keep);
