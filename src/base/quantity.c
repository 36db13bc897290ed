/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Refuses what strtoull() takes: signs, spaces, and what is too large.
 */
#include "base/quantity.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* One of @units may stand behind the number: @ret_unit is its index, or that
 * of the final zero if there is none. */
static bool split(const char *text, const char *units, uint64_t *ret_number,
		  size_t *ret_unit)
{
	unsigned long long number;
	const char *unit;
	char *end;

	if (text[0] < '0' || text[0] > '9')
		return false;
	errno = 0;
	number = strtoull(text, &end, 10);
	unit = strchr(units, *end);
	if (errno || !unit || (*end && end[1]))
		return false;
	*ret_number = number;
	*ret_unit = unit - units;
	return true;
}

bool quantity_bytes(const char *text, uint64_t *ret_bytes)
{
	static const char units[] = "KMGT";
	uint64_t number;
	size_t unit;
	unsigned int shift;

	if (!split(text, units, &number, &unit))
		return false;
	shift = units[unit] ? 10 * (unit + 1) : 0;
	if (number == 0 || number > UINT64_MAX >> shift >> 1)
		return false;
	*ret_bytes = number << shift;
	return true;
}

bool quantity_seconds(const char *text, uint64_t *ret_seconds)
{
	static const uint32_t factors[] = {1, 60, 3600, 86400, 7 * 86400, 1};
	uint64_t number;
	size_t unit;

	if (!split(text, "smhdw", &number, &unit))
		return false;
	if (number == 0 || number > UINT32_MAX / factors[unit])
		return false;
	*ret_seconds = number * factors[unit];
	return true;
}

bool quantity_number(const char *text, unsigned int min, unsigned int max,
		     unsigned int *ret_number)
{
	uint64_t number;
	size_t unit;

	if (!split(text, "", &number, &unit) || number < min || number > max)
		return false;
	*ret_number = number;
	return true;
}
