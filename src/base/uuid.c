/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The kernel hands out version 4 uuids as text: no library is needed. */
#include "base/uuid.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "base/io.h"

bool uuid_valid(const char *text)
{
	if (!text || strlen(text) != UUID_SIZE - 1)
		return false;
	for (int i = 0; i < UUID_SIZE - 1; i++) {
		bool dash = i == 8 || i == 13 || i == 18 || i == 23;

		if (dash ? text[i] != '-' : !isxdigit((unsigned char)text[i]))
			return false;
	}
	return true;
}

int uuid_new(char ret_uuid[UUID_SIZE], struct err *err)
{
	static const char *const source = "/proc/sys/kernel/random/uuid";
	_cleanup_free_ char *text = NULL;
	int r = io_read_file(source, 64, &text, NULL, err);

	if (r < 0)
		return r;
	text[strcspn(text, "\n")] = '\0';
	if (!uuid_valid(text))
		return fail(err, -EIO, "%s: not a uuid: %s", source, text);
	memcpy(ret_uuid, text, UUID_SIZE);
	return 0;
}

void uuid_format(const uint8_t bytes[16], char ret_uuid[UUID_SIZE])
{
	static const uint8_t nil[16];
	char *out = ret_uuid;

	*out = '\0';
	if (memcmp(bytes, nil, sizeof(nil)) == 0)
		return;
	for (int i = 0; i < 16; i++) {
		if (i == 4 || i == 6 || i == 8 || i == 10)
			*out++ = '-';
		out += sprintf(out, "%02x", bytes[i]);
	}
}
