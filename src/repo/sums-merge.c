/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * All files go through the disk together, so each is read once and nothing is
 * kept but a window of it.
 */
#include <string.h>

#include "base/err.h"
#include "repo/sums.h"

#define WINDOW_BLOCKS 4096

int sums_merge(struct sums *const files[], size_t nr_files, uint64_t size_bytes,
	       struct sums_writer *writer, struct err *err)
{
	uint64_t nr_blocks = sum_count(size_bytes), count;
	struct sum sums[WINDOW_BLOCKS];
	int r = 0;

	for (uint64_t at = 0; r == 0 && at < nr_blocks; at += count) {
		int64_t filled = 0;

		count = nr_blocks - at < WINDOW_BLOCKS ? nr_blocks - at
						       : WINDOW_BLOCKS;
		memset(sums, 0, sizeof(sums));
		for (size_t i = 0; filled >= 0 && i < nr_files; i++)
			if (files[i])
				filled = sums_look_up(files[i], at, count, sums,
						      err);
		r = filled < 0 ? (int)filled
			       : sums_writer_add(writer, at, sums, count, err);
	}
	return r;
}
