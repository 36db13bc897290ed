/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A disk of this host against what it was at a point, by the point's sums: only
 * the disk is read to find where they differ.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/cleanup.h"

struct bitmap;
struct comparison;
struct err;
struct ledger;
struct ui;

/* With a disk of @size_bytes in the repository @repo_id. To be freed by
 * comparison_free(). */
int comparison_new(const char *repo_id, uint64_t size_bytes,
		   struct comparison **ret_comparison, struct err *err);
void comparison_free(struct comparison *comparison);
DEFINE_CLEANUP(struct comparison *, comparison_free);
#define _cleanup_comparison_ _cleanup_(cleanup_comparison_free)

/*
 * Reads the disk @path, and marks what is not as @known says, cannot be read,
 * or has no sum. -EINTR: told to end.
 */
int comparison_run(struct comparison *comparison, struct ledger *known,
		   const char *path, struct ui *ui, struct err *err);

/* What is marked: blocks of SUM_BLOCK_BYTES. */
const struct bitmap *comparison_map(const struct comparison *comparison);

/* For ship_job.examine, after comparison_expect(): marks and counts what is not
 * as the sums say; what has no sum is only counted. */
void comparison_expect(struct comparison *comparison, struct ledger *known);
int comparison_check(void *opaque, uint64_t first_unit, uint64_t nr_units,
		     const uint8_t *data, bool skip[], struct err *err);
uint64_t comparison_damaged(const struct comparison *comparison);
uint64_t comparison_unknown(const struct comparison *comparison);
