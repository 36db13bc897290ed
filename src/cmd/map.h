/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Maps of changed blocks, as --map and --block-bytes give them. */
#pragma once

#include <stdint.h>

#include "base/err.h"

struct bitmap;
struct options;

/*
 * Reads the map @path of @nr_blocks; "-" is standard input. -EINVAL: it is of
 * another number of blocks. The caller frees it.
 */
int map_read(const char *path, uint64_t nr_blocks, struct bitmap **ret_map,
	     struct err *err);

/* Takes the value of --block-bytes. EXIT_OK, or as options_usage(). */
enum exit_code map_block_bytes(const struct options *options, const char *text,
			       uint32_t *ret_bytes);
