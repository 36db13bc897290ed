/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Names and units as prometheus.io/docs/practices/naming has them.  All samples
 * of a metric must stand together, so each goes over the disks anew.  What is
 * not known has no sample; a point that was never made was made in 1970, so
 * that an alert on its age needs no second rule.
 */
#include "cmd/status-prometheus.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "base/io.h"
#include "job/status.h"

/* Label values: backslash, quote and newline are escaped. */
static void print_label(FILE *to, const char *name, const char *value)
{
	fprintf(to, "%s=\"", name);
	for (; *value; value++)
		if (*value == '\n')
			fputs("\\n", to);
		else
			fprintf(to, strchr("\\\"", *value) ? "\\%c" : "%c",
				*value);
	fputc('"', to);
}

static void begin(FILE *to, const char *name, const char *help)
{
	fprintf(to, "# HELP %s %s\n# TYPE %s gauge\n", name, help, name);
}

/* A sample of a disk, with a further label if @label is not NULL. */
static void sample(FILE *to, const char *name, const struct status_disk *disk,
		   const char *label, const char *value, uint64_t number)
{
	fprintf(to, "%s{", name);
	print_label(to, "domain", disk->domain);
	fputc(',', to);
	print_label(to, "disk", disk->disk);
	if (label) {
		fputc(',', to);
		print_label(to, label, value);
	}
	fprintf(to, "} %" PRIu64 "\n", number);
}

static const char *target_label(const struct status_target *target)
{
	return target->name ? target->name : target->location;
}

static void print_states(FILE *to, const struct status_report *report)
{
	static const char name[] = "dsync_vm_tracking_state";

	begin(to, name, "1, for the word of dsync-vm status that is so.");
	for (size_t i = 0; i < report->nr_disks; i++)
		sample(to, name, &report->disks[i], "state",
		       status_word(&report->disks[i]), 1);
}

static void print_numbers(FILE *to, const struct status_report *report)
{
	static const struct {
		const char *name, *help;
		uint64_t (*of)(const struct status_disk *disk);
	} metrics[] = {
		{"dsync_vm_disk_size_bytes", "Size of the disk.",
		 status_size_bytes},
		{"dsync_vm_dirty_bytes", "Changed since the last cut.",
		 status_dirty_bytes},
		{"dsync_vm_suspect_bytes",
		 "Counts as changed after an unclean stop, and may not be.",
		 status_suspect_bytes},
	};

	for (size_t m = 0; m < sizeof(metrics) / sizeof(*metrics); m++) {
		begin(to, metrics[m].name, metrics[m].help);
		for (size_t i = 0; i < report->nr_disks; i++)
			if (status_is_up(&report->disks[i]))
				sample(to, metrics[m].name, &report->disks[i],
				       NULL, NULL,
				       metrics[m].of(&report->disks[i]));
	}
}

static void print_running(FILE *to, const struct status_report *report)
{
	static const char name[] = "dsync_vm_backup_running";

	begin(to, name, "1 while a backup of the disk's domain runs.");
	for (size_t i = 0; i < report->nr_disks; i++)
		sample(to, name, &report->disks[i], NULL, NULL,
		       report->disks[i].busy);
}

static void print_targets(FILE *to, const struct status_report *report)
{
	static const char point[] = "dsync_vm_last_point_timestamp_seconds";
	static const char pending[] = "dsync_vm_pending_bytes";

	begin(to, point, "When the newest point there was begun; 0: never.");
	for (size_t i = 0; i < report->nr_disks; i++)
		for (size_t j = 0; j < report->disks[i].nr_targets; j++)
			sample(to, point, &report->disks[i], "target",
			       target_label(&report->disks[i].targets[j]),
			       report->disks[i].targets[j].newest_time);
	begin(to, pending, "What the next backup to it will read.");
	for (size_t i = 0; i < report->nr_disks; i++)
		for (size_t j = 0; j < report->disks[i].nr_targets; j++) {
			const struct status_target *target =
				&report->disks[i].targets[j];

			if (target->pending_known)
				sample(to, pending, &report->disks[i], "target",
				       target_label(target),
				       target->pending_bytes);
		}
}

char *status_metrics(const struct status_report *report)
{
	char *text = NULL;
	size_t size;
	FILE *to = open_memstream(&text, &size);

	if (!to)
		return NULL;
	print_states(to, report);
	print_numbers(to, report);
	print_running(to, report);
	print_targets(to, report);
	begin(to, "dsync_vm_hold_room_bytes",
	      "What is left for what guests overwrite during a backup.");
	fprintf(to, "dsync_vm_hold_room_bytes %" PRIu64 "\n",
		report->hold_room_bytes);
	begin(to, "dsync_vm_status_timestamp_seconds",
	      "When all this was looked at.");
	fprintf(to, "dsync_vm_status_timestamp_seconds %lld\n",
		(long long)report->now);
	if (fclose(to) == 0)
		return text;
	free(text);
	return NULL;
}

int status_prometheus(const struct status_report *report, const char *path,
		      struct err *err)
{
	_cleanup_free_ char *text = status_metrics(report);

	if (!text)
		return fail(err, -ENOMEM, "out of memory");
	return io_replace_file(path, text, strlen(text), 0644, err);
}
