/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The pipeline without a destination is the reader, and its examine() the
 * comparison.  What differs is noted as damage of the image that has it; what
 * was damaged and is right again is not any more.
 */
#include "job/verify-disk.h"

#include <string.h>

#include "base/bitmap.h"
#include "job/interrupt.h"
#include "job/ui.h"
#include "job/verify.h"
#include "repo/catalog.h"
#include "repo/damage.h"
#include "repo/domain.h"
#include "repo/image.h"
#include "repo/manifest.h"
#include "repo/sums-view.h"
#include "ship/server.h"
#include "ship/ship.h"

#define STALL_MS 120000

struct comparison {
	const struct verify_disk_args *args;
	struct verify_disk *disk;
	struct verify_report *report;
	struct ui *ui;
	uint64_t size_bytes;
	struct sum_key key;
	struct sums_view *view;
	struct damage *damage; /* one for each layer of the view */
	bool *changed;         /* which of them */
	struct sum want[SHIP_EXAMINE_UNITS];
	uint16_t layers[SHIP_EXAMINE_UNITS];
};

static void comparison_free(struct comparison *c)
{
	for (size_t i = 0; c->damage && i < sums_view_nr_layers(c->view); i++)
		damage_clear(&c->damage[i]);
	free(c->damage);
	free(c->changed);
	sums_view_close(c->view);
	free(c);
}
DEFINE_CLEANUP(struct comparison *, comparison_free);

/* ------------------------------------------------------------ comparing */

/* What no image has is the newest one's to hide, and to be sent again. */
static uint16_t owner(uint16_t layer)
{
	return layer == UINT16_MAX ? 0 : layer;
}

static int note_mismatch(struct comparison *c, uint64_t block, uint16_t layer)
{
	bool owned = layer != UINT16_MAX;
	int r = verify_add_range(c->report, c->disk,
				 owned ? sums_view_point(c->view, layer) : "",
				 block, 1);

	c->disk->mismatched++;
	if (r < 0)
		return r;
	layer = owner(layer);
	c->changed[layer] = true;
	return damage_add(&c->damage[layer], block, 1);
}

static int note_match(struct comparison *c, uint64_t block, uint16_t layer)
{
	layer = owner(layer);
	if (!damage_has(&c->damage[layer], block))
		return 0;
	c->changed[layer] = true;
	return damage_remove(&c->damage[layer], block);
}

static int compare(void *opaque, uint64_t first_unit, uint64_t nr_units,
		   const uint8_t *data, bool skip[], struct err *err)
{
	struct comparison *c = opaque;
	int r = 0;

	sums_view_look_up(c->view, first_unit, nr_units, c->want, c->layers);
	for (uint64_t i = 0; r == 0 && i < nr_units; i++) {
		uint64_t unit = first_unit + i;
		const uint8_t *at = data ? data + i * SUM_BLOCK_BYTES : NULL;
		struct sum is;

		if (c->want[i].kind == SUM_UNKNOWN) {
			c->disk->unknown++;
			continue;
		}
		c->disk->blocks++;
		is = sum_at(&c->key, at, c->size_bytes, unit);
		if (sum_equal(&is, &c->want[i]))
			r = note_match(c, unit, c->layers[i]);
		else
			r = note_mismatch(c, unit, c->layers[i]);
	}
	return r < 0 ? fail(err, r, "out of memory") : 0;
}

/* A medium error is damage like any other. */
static int unreadable(void *opaque, uint64_t first_unit, uint64_t nr_units,
		      int error, struct err *err)
{
	struct comparison *c = opaque;
	int r = 0;

	sums_view_look_up(c->view, first_unit, nr_units, c->want, c->layers);
	for (uint64_t i = 0; r == 0 && i < nr_units; i++)
		r = note_mismatch(c, first_unit + i, c->layers[i]);
	c->disk->unreadable += nr_units;
	return r < 0 ? fail(err, r, "out of memory") : 0;
}

static void show_progress(void *opaque, const struct ship_counts *counts)
{
	const struct comparison *c = opaque;

	ui_progress(c->ui, counts->done_blocks * SHIP_UNIT_BYTES,
		    counts->blocks * SHIP_UNIT_BYTES);
}

/* -------------------------------------------------------------- reading */

static int read_image(struct comparison *c, const struct bitmap *map,
		      struct err *err)
{
	_cleanup_free_ char *path = image_path(c->args->domain, c->args->target,
					       c->args->point->point);
	const struct ship_image image = {
		.path = path, .format = "qcow2", .read_only = true};
	const struct ship_job job = {
		.map = map,
		.block_bytes = SHIP_UNIT_BYTES,
		.stall_ms = STALL_MS,
		.cancelled = interrupt_catch(),
		.opaque = c,
		.examine = compare,
		.unreadable = unreadable,
		.progress = show_progress,
	};
	_cleanup_server_ struct ship_server *server = NULL;
	_cleanup_source_ struct ship_source *source = NULL;
	struct ship_counts counts = {0};
	int r;

	if (!path)
		return fail(err, -ENOMEM, "out of memory");
	r = ship_server_start(&image, &server, err);
	if (r == 0)
		r = ship_server_open_source(server, job.cancelled, &source,
					    err);
	if (r == 0)
		r = ship_run(source, NULL, &job, &counts, err);
	c->disk->read_bytes = counts.read_bytes;
	return r;
}

/* For the next backup. A repository that cannot be written to is no reason to
 * keep quiet about what was found. */
static void store_damage(struct comparison *c)
{
	struct err err = {0};

	for (size_t i = 0; i < sums_view_nr_layers(c->view); i++)
		if (c->changed[i])
			(void)damage_store(c->args->domain, c->args->target,
					   sums_view_point(c->view, i),
					   &c->damage[i], &err);
	if (err.code)
		ui_warn(c->ui,
			"what was found is not noted for the next backup: %s",
			err.text);
}

static int load_damage(struct comparison *c, struct err *err)
{
	size_t nr_layers = sums_view_nr_layers(c->view);
	int r = 0;

	c->damage = calloc(nr_layers, sizeof(*c->damage));
	c->changed = calloc(nr_layers, sizeof(*c->changed));
	if (!c->damage || !c->changed)
		return fail(err, -ENOMEM, "out of memory");
	for (size_t i = 0; r == 0 && i < nr_layers; i++)
		r = damage_load(c->args->domain, c->args->target,
				sums_view_point(c->view, i), &c->damage[i],
				err);
	return r;
}

static int compare_disk(struct comparison *c, struct err *err)
{
	_cleanup_bitmap_ struct bitmap *map = NULL;
	int r = 0;

	if (c->disk->own) {
		map = bitmap_new(sum_count(c->size_bytes));
		r = map ? sums_view_own(c->view, map, err)
			: fail(err, -ENOMEM, "out of memory");
	}
	if (r == 0)
		r = load_damage(c, err);
	if (r < 0)
		return r;
	ui_progress_start(c->ui, c->args->target);
	r = read_image(c, map, err);
	ui_progress_end(c->ui);
	store_damage(c);
	if (sums_view_problem(c->view))
		ui_warn(c->ui, "%s", sums_view_problem(c->view));
	return r;
}

int verify_disk(const struct verify_disk_args *args, struct verify_disk *disk,
		struct verify_report *report, struct ui *ui, struct err *err)
{
	_cleanup_(cleanup_comparison_free) struct comparison *c =
		calloc(1, sizeof(*c));
	uint64_t began_ms = ui_now_ms();
	int r;

	if (!c)
		return fail(err, -ENOMEM, "out of memory");
	c->args = args;
	c->disk = disk;
	c->report = report;
	c->ui = ui;
	c->size_bytes =
		manifest_find_disk(args->point, args->target)->size_bytes;
	sum_key_init(&c->key, args->domain->repo_id);
	r = image_check_chain(args->domain, args->catalog, args->point,
			      args->target, err);
	if (r == 0)
		r = sums_view_open(args->domain, args->catalog, args->point,
				   args->target, &c->view, err);
	if (r == 0)
		r = compare_disk(c, err);
	disk->spent_ms = ui_now_ms() - began_ms;
	return r;
}
