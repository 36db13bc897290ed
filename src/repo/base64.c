/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Three bytes are four characters; what is missing of the last four is '='. */
#include "repo/base64.h"

#include <errno.h>
#include <string.h>

#include "base/cleanup.h"

static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
			     "abcdefghijklmnopqrstuvwxyz0123456789+/";

char *base64_encode(const uint8_t *bytes, size_t size_bytes)
{
	char *text = malloc(size_bytes / 3 * 4 + 5), *to = text;

	if (!text)
		return NULL;
	for (size_t i = 0; i < size_bytes; i += 3) {
		size_t have = size_bytes - i < 3 ? size_bytes - i : 3;
		uint32_t group = bytes[i] << 16;

		group |= have > 1 ? bytes[i + 1] << 8 : 0;
		group |= have > 2 ? bytes[i + 2] : 0;
		*to++ = digits[group >> 18];
		*to++ = digits[group >> 12 & 63];
		*to++ = have > 1 ? digits[group >> 6 & 63] : '=';
		*to++ = have > 2 ? digits[group & 63] : '=';
	}
	*to = '\0';
	return text;
}

static void fill_values(int8_t values[256])
{
	memset(values, -1, 256);
	for (int i = 0; i < 64; i++)
		values[(uint8_t)digits[i]] = i;
}

/* Four characters of which the last @padding are '='. */
static int decode_group(const int8_t values[256], const char *text,
			size_t padding, uint8_t *to)
{
	uint32_t group = 0;

	for (size_t i = 0; i < 4; i++) {
		int value = i + padding < 4 ? values[(uint8_t)text[i]] : 0;

		if (value < 0)
			return -EBADMSG;
		group = group << 6 | value;
	}
	to[0] = group >> 16;
	if (padding < 2)
		to[1] = group >> 8;
	if (padding < 1)
		to[2] = group;
	/* What the padding leaves over must be zero. */
	return group & ((1u << 8 * padding) - 1) ? -EBADMSG : 0;
}

int base64_decode(const char *text, uint8_t **ret_bytes, size_t *ret_size_bytes)
{
	size_t length = strlen(text), padding = 0, nr_groups = length / 4;
	_cleanup_free_ uint8_t *bytes = malloc(nr_groups * 3 + 1);
	int8_t values[256];

	if (length % 4)
		return -EBADMSG;
	if (!bytes)
		return -ENOMEM;
	if (length && text[length - 1] == '=')
		padding = text[length - 2] == '=' ? 2 : 1;
	fill_values(values);
	for (size_t i = 0; i < nr_groups; i++)
		if (decode_group(values, text + i * 4,
				 i + 1 == nr_groups ? padding : 0,
				 bytes + i * 3) < 0)
			return -EBADMSG;
	*ret_size_bytes = nr_groups * 3 - padding;
	*ret_bytes = TAKE_PTR(bytes);
	return 0;
}
