/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a target misses is what was recorded as pending, and what is dirty now:
 * blocks that are in both are sent once.  Where the next backup would not
 * trust the record, it is everything; the same doubts as there, but for what
 * only the target itself can tell.
 */
#include <string.h>

#include "base/config.h"
#include "base/io.h"
#include "job/extract.h"
#include "job/status.h"
#include "repo/mirror.h"
#include "repo/pending.h"

struct reader {
	struct status_disk *disk;
	struct pending_disk where;
	const struct config *config;
	struct bitmap *dirty; /* NULL: not known */
};

int status_overdue(const struct status_target *target, time_t now)
{
	uint64_t age_s = now > target->newest_time ? now - target->newest_time
						   : 0;

	if (!target->newest[0] || age_s > target->critical_s)
		return 2;
	return age_s > target->warning_s;
}

static void count_pending(struct status_target *target,
			  const struct reader *reader, struct pending *pending)
{
	const struct tracker_status *tracker = &reader->disk->tracker;

	if (tracker->state == TRACKER_UNTRACKED ||
	    tracker->state == TRACKER_LOST ||
	    !pending_follows(pending, tracker->epoch))
		bitmap_fill(pending->map);
	else if (reader->dirty &&
		 reader->dirty->nr_blocks == pending->map->nr_blocks)
		bitmap_or(pending->map, reader->dirty);
	else
		return;
	target->pending_known = true;
	target->pending_bytes =
		bitmap_count(pending->map) * pending->block_bytes;
}

static int read_pending(struct status_target *target,
			const struct reader *reader, const char *repo_id,
			struct err *err)
{
	_cleanup_pending_ struct pending *pending = NULL;
	bool up = status_is_up(reader->disk);
	int r = 0;

	if (up)
		r = pending_load(&reader->where, repo_id, &pending, err);
	else
		pending = pending_peek(reader->where.state_dir, repo_id,
				       reader->where.disk);
	if (r < 0 || !pending)
		return r;
	memcpy(target->newest, pending->newest, sizeof(target->newest));
	target->newest_time = point_time(target->newest);
	target->torn = pending->attempt[0] && mirror_is_uri(target->location);
	if (up)
		count_pending(target, reader, pending);
	return 0;
}

/* @known NULL: at a location where it was not seen. */
static int configure(struct status_target *target, const struct config *config,
		     const struct config_target *known, struct err *err)
{
	target->name = known ? strdup(known->name) : NULL;
	if (known && !target->name)
		return fail(err, -ENOMEM, "out of memory");
	/* A copy that somebody keeps by hand is none of our business. */
	target->watched = known ||
			  (!config->nr_targets &&
			   strcmp(target->location, EXTRACT_TARGET) != 0);
	target->warning_s = known && known->warning_s ? known->warning_s
						      : config->warning_s;
	target->critical_s = known && known->critical_s ? known->critical_s
							: config->critical_s;
	return 0;
}

static int add_target(const struct reader *reader,
		      const struct pending_target *known, struct err *err)
{
	struct status_disk *disk = reader->disk;
	struct status_target *target = &disk->targets[disk->nr_targets++];
	int r;

	target->location =
		strdup(known->location[0] ? known->location : known->repo_id);
	if (!target->location)
		return fail(err, -ENOMEM, "out of memory");
	r = configure(target, reader->config,
		      config_target_at(reader->config, target->location), err);
	return r < 0 ? r : read_pending(target, reader, known->repo_id, err);
}

/* The default target, where nothing was backed up to it yet. */
static int add_default(const struct reader *reader, struct err *err)
{
	struct status_disk *disk = reader->disk;
	const struct config *config = reader->config;
	const struct config_target *wanted =
		config->target ? config_target(config, config->target) : NULL;
	struct status_target *target = &disk->targets[disk->nr_targets];

	for (size_t i = 0; wanted && i < disk->nr_targets; i++)
		if (disk->targets[i].name &&
		    strcmp(disk->targets[i].name, wanted->name) == 0)
			return 0;
	if (!wanted)
		return 0;
	disk->nr_targets++;
	target->location = strdup(wanted->location);
	if (!target->location)
		return fail(err, -ENOMEM, "out of memory");
	target->pending_known = status_is_up(disk);
	target->pending_bytes = disk->tracker.size_sectors * 512;
	return configure(target, config, wanted, err);
}

static int by_location(const void *a, const void *b)
{
	return strcmp(((const struct status_target *)a)->location,
		      ((const struct status_target *)b)->location);
}

int status_read_targets(struct status_disk *disk, const char *domain_uuid,
			const struct config *config, struct err *err)
{
	_cleanup_free_ char *state_dir =
		io_format(PLACE_STATE "/%s", domain_uuid);
	_cleanup_pending_targets_ struct pending_targets *known = NULL;
	_cleanup_bitmap_ struct bitmap *dirty = NULL;
	struct reader reader = {
		.disk = disk,
		.where = {.state_dir = state_dir,
			  .domain_uuid = domain_uuid,
			  .disk = disk->disk,
			  .size_bytes = disk->tracker.size_sectors * 512,
			  .block_bytes = disk->tracker.block_sectors * 512},
		.config = config,
	};
	int r;

	if (!state_dir)
		return fail(err, -ENOMEM, "out of memory");
	r = pending_targets(state_dir, &known, err);
	if (r < 0)
		return r;
	disk->targets = calloc(known->nr_targets + 1, sizeof(*disk->targets));
	if (!disk->targets)
		return fail(err, -ENOMEM, "out of memory");
	if (disk->state == STATUS_UP &&
	    disk->tracker.state != TRACKER_UNTRACKED)
		(void)tracker_read_map(disk->device, TRACKER_MAP_DIRTY, &dirty,
				       NULL);
	reader.dirty = dirty;
	for (size_t i = 0; i < known->nr_targets && r == 0; i++)
		r = add_target(&reader, &known->targets[i], err);
	if (r == 0)
		r = add_default(&reader, err);
	if (r == 0)
		qsort(disk->targets, disk->nr_targets, sizeof(*disk->targets),
		      by_location);
	return r;
}
