/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What is not known is null or left out, never a zero. */
#include "cmd/status-json.h"

#include "job/status.h"
#include "repo/json.h"

static void describe_target(struct json_object *entry,
			    const struct status_target *target, time_t now)
{
	static const char *const overdue[] = {NULL, "warning", "critical"};

	json_add_string(entry, "target", target->location);
	json_add_string(entry, "name", target->name);
	json_add_string(entry, "point",
			target->newest[0] ? target->newest : NULL);
	if (target->torn)
		json_add_bool(entry, "torn", true);
	if (target->newest[0] && now >= target->newest_time)
		json_add_uint(entry, "age_seconds", now - target->newest_time);
	if (target->pending_known)
		json_add_uint(entry, "pending_bytes", target->pending_bytes);
	json_add_bool(entry, "watched", target->watched);
	json_add_string(entry, "overdue",
			target->watched ? overdue[status_overdue(target, now)]
					: NULL);
}

static void describe_tracker(struct json_object *item,
			     const struct status_disk *disk)
{
	const struct tracker_status *tracker = &disk->tracker;

	json_add_uint(item, "size_bytes", status_size_bytes(disk));
	json_add_uint(item, "dirty_bytes", status_dirty_bytes(disk));
	json_add_uint(item, "suspect_bytes", status_suspect_bytes(disk));
	json_add_string(item, "epoch",
			tracker->epoch[0] ? tracker->epoch : NULL);
	json_add_string(item, "open_epoch",
			tracker->open[0] ? tracker->open : NULL);
}

static void describe_disk(struct json_object *item,
			  const struct status_disk *disk, time_t now)
{
	struct json_object *targets;

	json_add_string(item, "domain", disk->domain);
	json_add_string(item, "disk", disk->disk);
	json_add_bool(item, "running", disk->active);
	json_add_bool(item, "backup_running", disk->busy);
	json_add_string(item, "state", status_word(disk));
	if (disk->state == STATUS_NOT_ATTACHED)
		json_add_string(item, "reason", disk->reason);
	if (disk->restoring)
		json_add_string(item, "remedy", disk->restoring);
	if (disk->handed_over)
		json_add_string(item, "handed_over", disk->handed_over);
	if (status_is_up(disk))
		describe_tracker(item, disk);
	json_add_string(item, "metadata", disk->metadata);
	targets = json_add_array(item, "targets");
	for (size_t i = 0; i < disk->nr_targets; i++)
		describe_target(json_append_object(targets), &disk->targets[i],
				now);
}

struct json_object *status_json(const struct status_report *report)
{
	struct json_object *object = json_new();
	struct json_object *disks = json_add_array(object, "disks");

	for (size_t i = 0; i < report->nr_disks; i++)
		describe_disk(json_append_object(disks), &report->disks[i],
			      report->now);
	return object;
}
