/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The pipeline without a destination is the reader.  Zeroes are told by their
 * sum as well, so a disk that has them where the point has a hole is equal.
 */
#include "job/comparison.h"

#include "base/bitmap.h"
#include "base/err.h"
#include "job/interrupt.h"
#include "job/ledger.h"
#include "job/ui.h"
#include "repo/sum.h"
#include "ship/ship.h"

#define STALL_MS 120000

struct comparison {
	struct sum_key key;
	struct ledger *known;
	struct bitmap *differing;
	uint64_t size_bytes, damaged, unknown;
	struct ui *ui; /* of comparison_run() */
	struct sum want[SHIP_EXAMINE_UNITS];
	struct sum sent[SHIP_EXAMINE_UNITS]; /* of a point: nothing */
};

void comparison_free(struct comparison *comparison)
{
	if (!comparison)
		return;
	bitmap_free(comparison->differing);
	free(comparison);
}

int comparison_new(const char *repo_id, uint64_t size_bytes,
		   struct comparison **ret_comparison, struct err *err)
{
	_cleanup_comparison_ struct comparison *comparison =
		calloc(1, sizeof(*comparison));

	if (!comparison)
		return fail(err, -ENOMEM, "out of memory");
	comparison->size_bytes = size_bytes;
	comparison->differing = bitmap_new(sum_count(size_bytes));
	if (!comparison->differing)
		return fail(err, -ENOMEM, "out of memory");
	sum_key_init(&comparison->key, repo_id);
	*ret_comparison = TAKE_PTR(comparison);
	return 0;
}

/* What these units should be. */
static int look_up(struct comparison *comparison, uint64_t first_unit,
		   uint64_t nr_units, struct err *err)
{
	struct ledger *known = comparison->known;

	return known->look_up(known, first_unit, nr_units, comparison->sent,
			      comparison->want, err);
}

/* Unit number @i of those looked up, which has @data. */
static bool is_wanted(const struct comparison *comparison, uint64_t first_unit,
		      uint64_t i, const uint8_t *data)
{
	struct sum is = sum_at(&comparison->key,
			       data ? data + i * SUM_BLOCK_BYTES : NULL,
			       comparison->size_bytes, first_unit + i);

	return sum_equal(&is, &comparison->want[i]);
}

static int examine(void *opaque, uint64_t first_unit, uint64_t nr_units,
		   const uint8_t *data, bool skip[], struct err *err)
{
	struct comparison *comparison = opaque;

	int r = look_up(comparison, first_unit, nr_units, err);

	if (r < 0)
		return r;
	for (uint64_t i = 0; i < nr_units; i++)
		if (!is_wanted(comparison, first_unit, i, data))
			bitmap_set(comparison->differing, first_unit + i, 1);
	return 0;
}

/* It is written anew, which is what a medium needs to mend a sector. */
static int unreadable(void *opaque, uint64_t first_unit, uint64_t nr_units,
		      int error, struct err *err)
{
	struct comparison *comparison = opaque;

	bitmap_set(comparison->differing, first_unit, nr_units);
	return 0;
}

static void show_progress(void *opaque, const struct ship_counts *counts)
{
	const struct comparison *comparison = opaque;

	ui_progress(comparison->ui, counts->done_blocks * SUM_BLOCK_BYTES,
		    counts->blocks * SUM_BLOCK_BYTES);
}

void comparison_expect(struct comparison *comparison, struct ledger *known)
{
	comparison->known = known;
}

int comparison_run(struct comparison *comparison, struct ledger *known,
		   const char *path, struct ui *ui, struct err *err)
{
	_cleanup_source_ struct ship_source *source = NULL;
	const struct ship_job job = {
		.block_bytes = SUM_BLOCK_BYTES,
		.stall_ms = STALL_MS,
		.cancelled = interrupt_catch(),
		.opaque = comparison,
		.examine = examine,
		.unreadable = unreadable,
		.progress = show_progress,
	};
	struct ship_counts counts;
	int r = ship_source_open_file(path, &source, err);

	comparison->ui = ui;
	comparison_expect(comparison, known);
	return r < 0 ? r : ship_run(source, NULL, &job, &counts, err);
}

const struct bitmap *comparison_map(const struct comparison *comparison)
{
	return comparison->differing;
}

int comparison_check(void *opaque, uint64_t first_unit, uint64_t nr_units,
		     const uint8_t *data, bool skip[], struct err *err)
{
	struct comparison *comparison = opaque;

	int r = look_up(comparison, first_unit, nr_units, err);

	if (r < 0)
		return r;
	for (uint64_t i = 0; i < nr_units; i++) {
		if (comparison->want[i].kind == SUM_UNKNOWN) {
			comparison->unknown++;
		} else if (!is_wanted(comparison, first_unit, i, data)) {
			bitmap_set(comparison->differing, first_unit + i, 1);
			comparison->damaged++;
		}
	}
	return 0;
}

uint64_t comparison_damaged(const struct comparison *comparison)
{
	return comparison->damaged;
}

uint64_t comparison_unknown(const struct comparison *comparison)
{
	return comparison->unknown;
}
