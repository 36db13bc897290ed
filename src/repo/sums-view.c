/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The layers are asked from the newest to the oldest, each for what is still
 * unknown.  All go through the disk in the same direction, so each is read
 * once, and one that has nothing here costs a comparison.
 */
#include "repo/sums-view.h"

#include <string.h>

#include "base/bitmap.h"
#include "base/err.h"
#include "base/io.h"
#include "repo/catalog.h"
#include "repo/damage.h"
#include "repo/domain.h"
#include "repo/image.h"
#include "repo/manifest.h"
#include "repo/sums.h"

struct layer {
	struct sums *file; /* NULL: it cannot be known what it has */
	char point[POINT_SIZE];
	struct damage damage; /* none before sums_view_distrust() */
};

struct sums_view {
	struct layer *layers; /* newest first */
	size_t nr_layers;
	struct err missing; /* why the first file is not open */
	struct err problem; /* the first that made a difference */
};

void sums_view_close(struct sums_view *view)
{
	if (!view)
		return;
	for (size_t i = 0; i < view->nr_layers; i++) {
		sums_close(view->layers[i].file);
		damage_clear(&view->layers[i].damage);
	}
	free(view->layers);
	free(view);
}

static int open_layer(struct sums_view *view, const struct repo_domain *domain,
		      const struct manifest *point,
		      const struct manifest_disk *disk, struct err *err)
{
	_cleanup_free_ char *path =
		sums_path(domain, disk->target, point->point);
	struct layer *layer = &view->layers[view->nr_layers++];
	const struct sums_id id = {
		.repo_id = domain->repo_id,
		.domain_uuid = point->domain_uuid,
		.target = disk->target,
		.point = point->point,
		.backing = disk->backing,
		.size_bytes = disk->size_bytes,
	};
	struct err why = {0};
	int r;

	if (!path)
		return fail(err, -ENOMEM, "out of memory");
	memcpy(layer->point, point->point, sizeof(layer->point));
	r = sums_open(path, &id, &layer->file, &why);
	if (r == 0)
		return 0;
	/* Not the file's fault. */
	if (r == -ENOMEM || r == -EMFILE || r == -ENFILE || r == -EACCES)
		return fail(err, r, "%s", why.text);
	if (!view->missing.code)
		view->missing = why;
	return 0;
}

static int open_layers(struct sums_view *view, const struct repo_domain *domain,
		       const struct catalog *catalog,
		       const struct manifest *point, const char *target,
		       struct err *err)
{
	size_t depth;
	int r = catalog_chain_depth(catalog, point, target, &depth, err);

	if (r < 0)
		return r;
	if (depth >= UINT16_MAX)
		return fail(err, -EOVERFLOW, "%s: too many images under %s",
			    target, point->point);
	view->layers = calloc(depth, sizeof(*view->layers));
	if (!view->layers)
		return fail(err, -ENOMEM, "out of memory");
	for (size_t i = 0; r == 0 && i < depth; i++) {
		const struct manifest_disk *disk =
			manifest_find_disk(point, target);

		r = open_layer(view, domain, point, disk, err);
		if (r == 0)
			r = catalog_under(catalog, point, target, &point, err);
	}
	return r;
}

int sums_view_open(const struct repo_domain *domain,
		   const struct catalog *catalog, const struct manifest *point,
		   const char *target, struct sums_view **ret_view,
		   struct err *err)
{
	_cleanup_sums_view_ struct sums_view *view = calloc(1, sizeof(*view));
	int r = 0;

	if (!view)
		return fail(err, -ENOMEM, "out of memory");
	if (point)
		r = open_layers(view, domain, catalog, point, target, err);
	if (r == 0)
		*ret_view = TAKE_PTR(view);
	return r;
}

static void mark(struct bitmap *map, uint32_t block_bytes,
		 const struct damage_range *range)
{
	uint32_t per_block = block_bytes / SUM_BLOCK_BYTES;
	uint64_t first = range->first / per_block;
	uint64_t end = (range->first + range->count - 1) / per_block + 1;

	if (end > map->nr_blocks)
		end = map->nr_blocks;
	if (first < end)
		bitmap_set(map, first, end - first);
}

int sums_view_distrust(struct sums_view *view, const struct repo_domain *domain,
		       const char *target, struct bitmap *map,
		       uint32_t block_bytes, struct err *err)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < view->nr_layers; i++) {
		struct damage *damage = &view->layers[i].damage;

		r = damage_load(domain, target, view->layers[i].point, damage,
				err);
		for (size_t j = 0; map && j < damage->nr_ranges; j++)
			mark(map, block_bytes, &damage->ranges[j]);
	}
	return r;
}

/* Hides what is unknown yet and damaged in the layer. Returns how much. */
static uint64_t hide(const struct damage *damage, uint64_t first,
		     uint64_t count, struct sum *sums)
{
	uint64_t hidden = 0;

	for (uint64_t i = 0; damage->nr_ranges && i < count; i++)
		if (sums[i].kind == SUM_UNKNOWN &&
		    damage_has(damage, first + i)) {
			sums[i].kind = SUM_LOST;
			hidden++;
		}
	return hidden;
}

static void note_layer(const struct sum *sums, uint64_t count, uint16_t layer,
		       uint16_t *layers)
{
	for (uint64_t i = 0; i < count; i++)
		if (sums[i].kind != SUM_UNKNOWN && layers[i] == UINT16_MAX)
			layers[i] = layer;
}

void sums_view_look_up(struct sums_view *view, uint64_t first, uint64_t count,
		       struct sum *sums, uint16_t *ret_layers)
{
	uint64_t unknown = count;
	bool blind = false;

	memset(sums, 0, count * sizeof(*sums));
	if (ret_layers)
		memset(ret_layers, 0xff, count * sizeof(*ret_layers));
	for (size_t i = 0; unknown && !blind && i < view->nr_layers; i++) {
		struct layer *layer = &view->layers[i];
		int64_t filled = -EBADMSG;

		unknown -= hide(&layer->damage, first, count, sums);
		if (layer->file)
			filled = sums_look_up(layer->file, first, count, sums,
					      &view->problem);
		else if (!view->problem.code)
			view->problem = view->missing;
		/* What it had hides what is under it. */
		blind = filled < 0;
		if (filled > 0)
			unknown -= filled;
		if (filled > 0 && ret_layers)
			note_layer(sums, count, i, ret_layers);
	}
	for (uint64_t i = 0; i < count; i++) {
		if (sums[i].kind == SUM_UNKNOWN && !blind)
			sums[i].kind = SUM_ZERO;
		if (sums[i].kind == SUM_LOST)
			sums[i].kind = SUM_UNKNOWN;
	}
}

int sums_view_own(struct sums_view *view, struct bitmap *map, struct err *err)
{
	struct sums *own = view->nr_layers ? view->layers[0].file : NULL;
	uint64_t first = 0, count = 0;
	int r = own ? 1 : -EBADMSG;

	while (r > 0) {
		r = sums_next_run(own, first + count, UINT64_MAX, &first,
				  &count, &view->problem);
		if (r > 0)
			bitmap_set(map, first, count);
	}
	if (r == -ENOMEM)
		return fail(err, r, "out of memory");
	if (!own && !view->problem.code)
		view->problem = view->missing;
	if (r < 0)
		bitmap_fill(map);
	return 0;
}

size_t sums_view_nr_layers(const struct sums_view *view)
{
	return view->nr_layers;
}

const char *sums_view_point(const struct sums_view *view, uint16_t layer)
{
	return view->layers[layer].point;
}

const char *sums_view_problem(const struct sums_view *view)
{
	return view->problem.code ? view->problem.text : NULL;
}
