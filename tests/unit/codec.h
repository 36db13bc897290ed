/* SPDX-License-Identifier: GPL-2.0-only */
/* What the tests of kmod's codec share: random content from a printed seed. */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "dm-dsync-codec.h"

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))
#define BLOCK DSYNC_META_BLOCK_BYTES
#define SECTOR ((int)sizeof(struct dsync_meta_sector))

static unsigned int seed;

static inline unsigned int below(unsigned int n)
{
	return rand_r(&seed) % n;
}

static inline void random_bytes(void *to, size_t n)
{
	for (u8 *p = to; n; n--)
		*p++ = below(256);
}

static inline uuid_t random_uuid(void)
{
	uuid_t uuid;

	random_bytes(&uuid, sizeof(uuid));
	return uuid;
}

static inline u64 random_u64(void)
{
	u64 n;

	random_bytes(&n, sizeof(n));
	return n;
}

static inline bool all_are(const void *from, int byte, size_t n)
{
	for (const u8 *p = from; n; n--)
		if (*p++ != byte)
			return false;
	return true;
}

/* A superblock in which every byte of every field counts. */
static inline struct dsync_super some_super(void)
{
	return (struct dsync_super){
		.flags = DSYNC_SUPER_CLEAN,
		.uuid = {{0xa0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14,
			  15}},
		.sequence = 0x0102030405060708,
		.data_sectors = 0x1112131415,
		.block_sectors = 8,
		.region_sectors = 2048,
		.active_regions = 1024,
		.state = DSYNC_SUPER_STATE_RECOVERED,
		.suspect_blocks = 0x2122232425262728,
		.dirty_slot = 1,
		.generation = {0x31323334, 0x41424344},
		.epoch = {{1, 2, 3}},
		.previous = {{4, 5, 6}},
		.open = {{7, 8, 9}},
		.ended = {{10, 11, 12}},
		.aborted = {{13, 14, 15}},
	};
}

/* main() of each */
#define RUN(tests)                                                             \
	int main(int argc, char **argv)                                        \
	{                                                                      \
		seed = argc > 1 ? strtoul(argv[1], NULL, 0)                    \
				: (unsigned int)time(NULL);                    \
		printf("seed %u (give it as the argument to repeat)\n", seed); \
		return cmocka_run_group_tests(tests, NULL, NULL);              \
	}                                                                      \
	struct swallow_semicolon
