/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A map is as in /proc/dsync: nothing but bits, and the size says whose. */
#include "cmd/map.h"

#include <string.h>

#include "base/bitmap.h"
#include "base/cleanup.h"
#include "base/io.h"
#include "base/quantity.h"
#include "cmd/options.h"

static int misfit(const char *path, uint64_t nr_blocks, struct err *err)
{
	return fail(err, -EINVAL,
		    "%s: not a map of this disk's %llu blocks (%zu bytes); is "
		    "it of another disk or --block-bytes?",
		    path, (unsigned long long)nr_blocks,
		    bitmap_file_bytes(nr_blocks));
}

/*
 * Takes a map of exactly @nr_blocks. Whole words are taken too, as a program
 * may write them; what is behind the last block must be zero.
 */
static int take_map(const char *path, const uint8_t *content, size_t size_bytes,
		    uint64_t nr_blocks, struct bitmap **ret_map,
		    struct err *err)
{
	_cleanup_bitmap_ struct bitmap *map = bitmap_new(nr_blocks);

	if (!map)
		return fail(err, -ENOMEM, "%s: out of memory", path);
	if (size_bytes < bitmap_file_bytes(nr_blocks) ||
	    size_bytes > map->size_bytes)
		return misfit(path, nr_blocks, err);
	memcpy(map->bits, content, size_bytes);
	bitmap_mask_tail(map);
	if (memcmp(map->bits, content, size_bytes) != 0)
		return misfit(path, nr_blocks, err);
	*ret_map = TAKE_PTR(map);
	return 0;
}

int map_read(const char *path, uint64_t nr_blocks, struct bitmap **ret_map,
	     struct err *err)
{
	_cleanup_free_ char *content = NULL;
	const char *file = strcmp(path, "-") == 0 ? "/dev/stdin" : path;
	size_t size;
	int r = io_read_file(file, bitmap_file_bytes(nr_blocks) + 8, &content,
			     &size, err);

	if (r == -EFBIG) {
		err_clear(err);
		return misfit(path, nr_blocks, err);
	}
	if (r < 0)
		return r;
	return take_map(path, (uint8_t *)content, size, nr_blocks, ret_map,
			err);
}

enum exit_code map_block_bytes(const struct options *options, const char *text,
			       uint32_t *ret_bytes)
{
	unsigned int bytes;

	if (!quantity_number(text, 4096, 1 << 20, &bytes) ||
	    (bytes & (bytes - 1)))
		return options_usage(options,
				     "--block-bytes %s: a power of two from "
				     "4096 to 1048576",
				     text);
	*ret_bytes = bytes;
	return EXIT_OK;
}
