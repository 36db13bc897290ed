/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The disks of a domain on the host that it moves to, as a target: a mirror,
 * whose connection to that host is not its own. */
#include <string.h>

#include "base/bitmap.h"
#include "base/err.h"
#include "dm/tracker.h"
#include "job/seed.h"
#include "job/tail-check.h"
#include "job/target-ops.h"
#include "repo/pending.h"

struct target_seed {
	struct target target;
	struct seed *seed;
	bool first; /* of the passes over this connection */
	ship_cancel cancelled;
};

struct target_line {
	struct far_lines lines;
};

static int begin(struct target *target, time_t now, struct err *err)
{
	struct target_seed *to = (struct target_seed *)target;

	to->first = seed_begin_pass(to->seed);
	point_stamp(now, target->point);
	return 0;
}

/*
 * What a move that was cut off sent last, nobody may have noted: it is among
 * what was changed here.
 */
static int check_tail(struct target *target, const struct pending *pending,
		      bool *ret_matches, struct err *err)
{
	const struct target_seed *to = (struct target_seed *)target;
	_cleanup_bitmap_ struct bitmap *changed = NULL;
	struct ship_source *source = NULL;
	struct far_lines lines = {0};
	int r;

	*ret_matches = !to->first;
	if (!to->first)
		return 0;
	if (seed_has_created(to->seed, pending->disk))
		return 0;
	r = tracker_read_map(seed_device(to->seed, pending->disk),
			     TRACKER_MAP_DIRTY, &changed, err);
	if (r == 0)
		r = seed_open_source(to->seed, pending->disk, &lines, &source,
				     err);
	if (r == 0)
		r = tail_check(source, pending, changed, to->cancelled,
			       ret_matches, err);
	if (source)
		ship_source_close(source);
	far_lines_end(&lines);
	if (r == 0 && !*ret_matches &&
	    !seed_may_overwrite(to->seed, pending->disk))
		r = fail(err, -EEXIST,
			 "%s: %s: what is there is not what was brought there "
			 "last; --force overwrites it",
			 target->location, pending->disk);
	/* The tail is a sample. */
	*ret_matches &= seed_is_trusted(to->seed, pending->disk);
	return r;
}

static int begin_disk(struct target *target, const struct pending *pending,
		      struct target_disk *disk, struct err *err)
{
	const struct target_seed *to = (struct target_seed *)target;

	disk->line = calloc(1, sizeof(*disk->line));
	if (!disk->line)
		return fail(err, -ENOMEM, "out of memory");
	return seed_open_dest(to->seed, pending->disk,
			      bitmap_count(pending_to_send(pending)) *
				      pending->block_bytes,
			      &disk->line->lines, &disk->dest, err);
}

static void drop_line(struct target_line *line)
{
	far_lines_end(&line->lines);
	free(line);
}

static void close_seed(struct target *target)
{
	free(target);
}

static const struct target_ops ops = {
	.begin = begin,
	.check_tail = check_tail,
	.begin_disk = begin_disk,
	.drop_line = drop_line,
	.close = close_seed,
};

int target_open_seed(struct seed *seed, const struct target_owner *owner,
		     ship_cancel cancelled, struct target **ret_target,
		     struct err *err)
{
	struct target_seed *to = calloc(1, sizeof(*to));
	_cleanup_target_ struct target *target = NULL;

	if (!to)
		return fail(err, -ENOMEM, "out of memory");
	to->seed = seed;
	to->cancelled = cancelled;
	target = &to->target;
	target->ops = &ops;
	target->is_mirror = true;
	memcpy(target->id, seed_target_id(seed), UUID_SIZE);
	memcpy(target->domain_uuid, owner->uuid, UUID_SIZE);
	target->location = strdup(seed_uri(seed));
	if (!target->location)
		return fail(err, -ENOMEM, "out of memory");
	*ret_target = TAKE_PTR(target);
	return 0;
}
