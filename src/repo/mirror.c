/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The id is the XXH3-128 of the URI in the form of a uuid: one form of id for
 * repositories and mirrors, fit for a file name.
 */
#include "repo/mirror.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "base/io.h"

#define PLACEHOLDER "{disk}"

bool mirror_is_uri(const char *target)
{
	static const char *const schemes[] = {"nbd://", "nbds://",
					      "nbd+unix://", "nbds+unix://"};

	for (size_t i = 0; i < sizeof(schemes) / sizeof(*schemes); i++)
		if (strncmp(target, schemes[i], strlen(schemes[i])) == 0)
			return true;
	return false;
}

void mirror_id(const char *uri, char ret_id[UUID_SIZE])
{
	XXH128_hash_t hash = XXH3_128bits(uri, strlen(uri));

	snprintf(ret_id, UUID_SIZE,
		 "%08" PRIx64 "-%04" PRIx64 "-%04" PRIx64 "-%04" PRIx64
		 "-%012" PRIx64,
		 (uint64_t)hash.high64 >> 32,
		 (uint64_t)hash.high64 >> 16 & 0xffff,
		 (uint64_t)hash.high64 & 0xffff, (uint64_t)hash.low64 >> 48,
		 (uint64_t)hash.low64 & 0xffffffffffff);
}

char *mirror_disk_uri(const char *uri, const char *disk)
{
	const char *at = strstr(uri, PLACEHOLDER);

	if (!at)
		return strdup(uri);
	return io_format("%.*s%s%s", (int)(at - uri), uri, disk,
			 at + strlen(PLACEHOLDER));
}
