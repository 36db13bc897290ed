/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A mirror's server belongs to somebody else and is only connected to; there
 * is nothing to be prepared there, nothing to commit and nothing to know.
 */
#include <string.h>

#include "base/err.h"
#include "job/tail-check.h"
#include "job/target-ops.h"
#include "repo/mirror.h"
#include "repo/pending.h"

struct mirror {
	struct target target;
	ship_cancel cancelled;
};

static int begin(struct target *target, time_t now, struct err *err)
{
	point_stamp(now, target->point);
	return 0;
}

static int check_tail(struct target *target, const struct pending *pending,
		      bool *ret_matches, struct err *err)
{
	const struct mirror *mirror = (struct mirror *)target;
	_cleanup_source_ struct ship_source *source = NULL;
	_cleanup_free_ char *uri =
		mirror_disk_uri(target->location, pending->disk);
	int r;

	if (!uri)
		return fail(err, -ENOMEM, "out of memory");
	r = ship_source_open_nbd(uri, mirror->cancelled, &source, err);
	return r < 0 ? r
		     : tail_check(source, pending, NULL, mirror->cancelled,
				  ret_matches, err);
}

static int begin_disk(struct target *target, const struct pending *pending,
		      struct target_disk *disk, struct err *err)
{
	const struct mirror *mirror = (struct mirror *)target;
	_cleanup_free_ char *uri =
		mirror_disk_uri(target->location, pending->disk);

	if (!uri)
		return fail(err, -ENOMEM, "out of memory");
	return ship_dest_open(uri, mirror->cancelled, &disk->dest, err);
}

static void close_mirror(struct target *target)
{
	free(target);
}

static const struct target_ops ops = {
	.begin = begin,
	.check_tail = check_tail,
	.begin_disk = begin_disk,
	.close = close_mirror,
};

int target_open_mirror(const char *spec, const struct target_owner *owner,
		       ship_cancel cancelled, struct target **ret_target,
		       struct err *err)
{
	_cleanup_target_ struct target *target = NULL;
	struct mirror *mirror;

	if (owner->nr_disks > 1 && !strstr(spec, "{disk}"))
		return fail(err, -EINVAL,
			    "%s: %s has %zu disks: put {disk} where the URI "
			    "names the export or the socket",
			    spec, owner->name, owner->nr_disks);
	mirror = calloc(1, sizeof(*mirror));
	if (!mirror)
		return fail(err, -ENOMEM, "out of memory");
	target = &mirror->target;
	target->ops = &ops;
	target->is_mirror = true;
	mirror->cancelled = cancelled;
	mirror_id(spec, target->id);
	memcpy(target->domain_uuid, owner->uuid, UUID_SIZE);
	target->location = strdup(spec);
	if (!target->location)
		return fail(err, -ENOMEM, "out of memory");
	*ret_target = TAKE_PTR(target);
	return 0;
}
