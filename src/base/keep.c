/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The names and the order of the rules are those of Proxmox Backup Server,
 * which admins know.  A period is a number: two points are of one period if
 * their numbers are equal.
 */
#include "base/keep.h"

#include <ctype.h>
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>

#include "base/cleanup.h"

struct keep keep_default(void)
{
	return (struct keep){.count = {
				     [KEEP_LAST] = 6,
				     [KEEP_HOURLY] = 24,
				     [KEEP_DAILY] = 14,
				     [KEEP_WEEKLY] = 8,
				     [KEEP_MONTHLY] = 24,
				     [KEEP_YEARLY] = 4,
			     }};
}

const char *keep_name(enum keep_rule rule)
{
	static const char *const names[] = {
		[KEEP_LAST] = "last",       [KEEP_HOURLY] = "hourly",
		[KEEP_DAILY] = "daily",     [KEEP_WEEKLY] = "weekly",
		[KEEP_MONTHLY] = "monthly", [KEEP_YEARLY] = "yearly",
	};

	return names[rule];
}

int keep_parse(const char *text, unsigned int *ret_count)
{
	unsigned long value;
	char *end;

	if (!isdigit((unsigned char)*text))
		return -EINVAL;
	errno = 0;
	value = strtoul(text, &end, 10);
	if (errno || *end || value > KEEP_MAX)
		return -EINVAL;
	*ret_count = value;
	return 0;
}

bool keep_is_nothing(const struct keep *keep)
{
	for (int rule = 0; rule < KEEP_NR_RULES; rule++)
		if (keep->count[rule])
			return false;
	return true;
}

/* The number of the period of @rule that @when is in; @index for KEEP_LAST,
 * where each point is a period. */
static int64_t period(enum keep_rule rule, time_t when, size_t index)
{
	struct tm tm;
	int64_t day;

	if (rule == KEEP_LAST)
		return (int64_t)index;
	localtime_r(&when, &tm);
	/* Days count on over the years, without gaps being of interest. */
	day = tm.tm_year * INT64_C(366) + tm.tm_yday;
	switch (rule) {
	case KEEP_HOURLY:
		/* With the offset: an hour that clocks repeat is two. */
		return (day * 24 + tm.tm_hour) * 200000 + tm.tm_gmtoff;
	case KEEP_DAILY:
		return day;
	case KEEP_WEEKLY:
		/* The Thursday of a week says of which year it is. */
		tm.tm_mday += 3 - (tm.tm_wday + 6) % 7;
		tm.tm_hour = 12;
		tm.tm_isdst = -1;
		mktime(&tm);
		return tm.tm_year * INT64_C(366) + tm.tm_yday;
	case KEEP_MONTHLY:
		return tm.tm_year * INT64_C(12) + tm.tm_mon;
	default:
		return tm.tm_year;
	}
}

static bool among(const int64_t *periods, size_t count, int64_t wanted)
{
	for (size_t i = 0; i < count; i++)
		if (periods[i] == wanted)
			return true;
	return false;
}

/* @taken has room for as many periods as there are points. */
static void apply(enum keep_rule rule, unsigned int most, const time_t *created,
		  size_t count, bool *keep, int64_t *taken)
{
	size_t nr_taken = 0;
	unsigned int chosen = 0;

	for (size_t i = 0; i < count; i++)
		if (keep[i])
			taken[nr_taken++] = period(rule, created[i], i);
	for (size_t i = count; i-- > 0 && chosen < most;) {
		int64_t of = period(rule, created[i], i);

		if (keep[i] || among(taken, nr_taken, of))
			continue;
		keep[i] = true;
		taken[nr_taken++] = of;
		chosen++;
	}
}

void keep_choose(const struct keep *rules, const time_t *created, size_t count,
		 bool *keep)
{
	_cleanup_free_ int64_t *taken = calloc(count + 1, sizeof(*taken));

	for (size_t i = 0; !taken && i < count; i++)
		keep[i] = true; /* in doubt, all of them */
	for (int rule = 0; taken && rule < KEEP_NR_RULES; rule++)
		apply(rule, rules->count[rule], created, count, keep, taken);
}
