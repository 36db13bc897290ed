/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Critical is what leaves a domain without a recent point, or its guest in
 * trouble; a warning is what works and should not stay so.
 */
#include "job/check.h"

#include <inttypes.h>
#include <stdarg.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/io.h"
#include "dm/device.h"
#include "job/ui.h"

/* A busy guest may overwrite as much during a backup. */
#define HOLD_ROOM_BYTES (UINT64_C(1) << 30)

static void find(struct check_report *report, enum check_level level,
		 const char *format, ...) __attribute__((format(printf, 3, 4)));

static void find(struct check_report *report, enum check_level level,
		 const char *format, ...)
{
	struct check_finding *findings = reallocarray(
		report->findings, report->nr_findings + 1, sizeof(*findings));
	struct check_finding *finding;
	va_list ap;

	report->no_memory |= !findings;
	if (!findings)
		return;
	report->findings = findings;
	finding = &findings[report->nr_findings++];
	finding->level = level;
	va_start(ap, format);
	vsnprintf(finding->text, sizeof(finding->text), format, ap);
	va_end(ap);
}

/* ------------------------------------------------------------------ disks */

static void judge_tracker(const struct status_disk *disk,
			  struct check_report *report)
{
	const char *domain = disk->domain, *name = disk->disk;

	switch (disk->tracker.state) {
	case TRACKER_UNTRACKED:
		find(report, CHECK_CRITICAL,
		     "%s %s: is not tracked: the module dm-dsync was missing "
		     "when the domain was started",
		     domain, name);
		return;
	case TRACKER_LOST:
		find(report, CHECK_WARNING,
		     "%s %s: tracking was lost: the next backup reads all of "
		     "it",
		     domain, name);
		break;
	case TRACKER_DEGRADED:
		find(report, CHECK_WARNING,
		     "%s %s: degraded: its metadata device fails", domain,
		     name);
		return;
	case TRACKER_CLEAN:
	case TRACKER_RECOVERED:
		break;
	}
	if (!disk->metadata)
		find(report, CHECK_WARNING,
		     "%s %s: changes are kept in memory only, and lost when "
		     "the domain stops",
		     domain, name);
}

static void judge_disk(const struct status_disk *disk,
		       struct check_report *report)
{
	const char *domain = disk->domain, *name = disk->disk;

	if (disk->restoring && !disk->busy)
		find(report, CHECK_CRITICAL, "%s: %s", domain, disk->restoring);
	switch (disk->state) {
	case STATUS_NOT_ATTACHED:
		/* What cannot be, a backup leaves out and says so. */
		if (!disk->reason)
			find(report, CHECK_CRITICAL, "%s %s: is not attached",
			     domain, name);
		return;
	case STATUS_NEXT_START:
		find(report, CHECK_WARNING,
		     "%s %s: is attached, which takes effect at the domain's "
		     "next start",
		     domain, name);
		return;
	case STATUS_MISSING:
		find(report, CHECK_CRITICAL,
		     "%s %s: the domain runs without its device", domain, name);
		return;
	case STATUS_SUSPENDED:
		if (!disk->busy)
			find(report, CHECK_CRITICAL,
			     "%s %s: is suspended and no backup is running: "
			     "the guest stands still; 'dmsetup resume %s'",
			     domain, name, disk->device);
		break;
	case STATUS_STOPPED:
		return;
	case STATUS_UP:
		break;
	}
	if (disk->tracker.open[0] && !disk->busy)
		find(report, CHECK_WARNING,
		     "%s %s: a backup was killed and left its epoch open; the "
		     "next one puts that right",
		     domain, name);
	judge_tracker(disk, report);
}

/* ---------------------------------------------------------------- targets */

static struct check_age *age_of(struct check_report *report,
				const struct status_disk *disk,
				const struct status_target *target)
{
	_cleanup_free_ char *what =
		io_format("%s %s", disk->domain,
			  target->name ? target->name : target->location);
	struct check_age *ages;

	for (size_t i = 0; what && i < report->nr_ages; i++)
		if (strcmp(report->ages[i].what, what) == 0)
			return &report->ages[i];
	ages = reallocarray(report->ages, report->nr_ages + 1, sizeof(*ages));
	if (ages)
		report->ages = ages;
	report->no_memory |= !ages || !what;
	if (report->no_memory)
		return NULL;
	ages[report->nr_ages] = (struct check_age){.what = TAKE_PTR(what)};
	return &ages[report->nr_ages++];
}

static void take_age(const struct check_request *request,
		     const struct status_disk *disk,
		     const struct status_target *target, time_t now,
		     struct check_report *report)
{
	struct check_age *age = age_of(report, disk, target);
	uint64_t age_s = now > target->newest_time ? now - target->newest_time
						   : 0;

	if (!age)
		return;
	age->warning_s = request->warning_s ? request->warning_s
					    : target->warning_s;
	age->critical_s = request->critical_s ? request->critical_s
					      : target->critical_s;
	age->never |= !target->newest[0];
	if (target->newest[0] && age_s > age->age_s)
		age->age_s = age_s;
	if (target->pending_known)
		age->pending_bytes += target->pending_bytes;
}

static void judge_age(const struct check_age *age, struct check_report *report)
{
	char text[32];

	if (age->never)
		find(report, CHECK_CRITICAL, "%s: was never backed up there",
		     age->what);
	else if (age->age_s > age->critical_s)
		find(report, CHECK_CRITICAL, "%s: newest point is %s old",
		     age->what, ui_age(text, age->age_s));
	else if (age->age_s > age->warning_s)
		find(report, CHECK_WARNING, "%s: newest point is %s old",
		     age->what, ui_age(text, age->age_s));
}

/* A domain that is attached and has no target at all. */
static void judge_targets(const struct status_report *status, size_t i,
			  struct check_report *report)
{
	const struct status_disk *disk = &status->disks[i];
	size_t nr_watched = 0;

	for (size_t j = 0; j < disk->nr_targets; j++)
		nr_watched += disk->targets[j].watched;
	if (!nr_watched && disk->state != STATUS_NOT_ATTACHED)
		find(report, CHECK_CRITICAL,
		     "%s %s: was never backed up, and no default target is "
		     "configured",
		     disk->domain, disk->disk);
}

/* ------------------------------------------------------------------- host */

/* Only of domains whose holds are files. */
static void judge_room(const struct status_report *status,
		       struct check_report *report)
{
	uint64_t need_bytes = 0, room_bytes = status->hold_room_bytes;
	char room[16];

	for (size_t i = 0; i < status->nr_disks; i++)
		if (status->disks[i].hold_is_file)
			need_bytes += status_size_bytes(&status->disks[i]);
	if (need_bytes > HOLD_ROOM_BYTES)
		need_bytes = HOLD_ROOM_BYTES;
	if (room_bytes >= need_bytes)
		return;
	find(report,
	     room_bytes < need_bytes / 16 ? CHECK_CRITICAL : CHECK_WARNING,
	     PLACE_STATE ": only %s for what guests overwrite during a backup",
	     ui_size(room, room_bytes));
}

void check_judge(const struct check_request *request,
		 const struct status_report *status,
		 struct check_report *report)
{
	size_t nr_before = report->nr_ages;

	for (size_t i = 0; i < status->nr_disks; i++) {
		const struct status_disk *disk = &status->disks[i];

		judge_disk(disk, report);
		judge_targets(status, i, report);
		for (size_t j = 0; j < disk->nr_targets; j++)
			if (disk->targets[j].watched)
				take_age(request, disk, &disk->targets[j],
					 status->now, report);
	}
	for (size_t i = nr_before; i < report->nr_ages; i++)
		judge_age(&report->ages[i], report);
	judge_room(status, report);
	report->nr_domains += status->nr_domains;
	report->nr_disks += status->nr_disks;
}

/* ------------------------------------------------------------------ looking */

static void look(const struct check_request *request, const char *domain,
		 struct check_report *report)
{
	struct status_report status;
	struct err err = {0};

	if (status_run(request->connect, domain, &status, &err) < 0)
		find(report,
		     err.code == -ENOENT ? CHECK_CRITICAL : CHECK_UNKNOWN, "%s",
		     err.text);
	else
		check_judge(request, &status, report);
	if (status.misconfigured.code)
		find(report, CHECK_UNKNOWN, "%s", status.misconfigured.text);
	status_report_free(&status);
}

void check_run(const struct check_request *request,
	       struct check_report *ret_report)
{
	*ret_report = (struct check_report){0};
	for (size_t i = 0; i < request->nr_domains; i++)
		look(request, request->domains[i], ret_report);
	if (!request->nr_domains)
		look(request, NULL, ret_report);
	if (ret_report->nr_domains && !device_target_exists("dsync"))
		find(ret_report, CHECK_CRITICAL,
		     "the kernel has no module dm-dsync: domains start "
		     "untracked");
	if (!ret_report->nr_domains && !ret_report->nr_findings)
		find(ret_report, CHECK_WARNING,
		     "no domain is attached; 'dsync-vm attach DOMAIN' does it");
}

enum check_level check_level(const struct check_report *report)
{
	/* Critical is known to be bad; unknown only may be. */
	static const int rank[] = {0, 1, 3, 2};
	enum check_level worst = report->no_memory ? CHECK_UNKNOWN : CHECK_OK;

	for (size_t i = 0; i < report->nr_findings; i++)
		if (rank[report->findings[i].level] > rank[worst])
			worst = report->findings[i].level;
	return worst;
}

void check_report_free(struct check_report *report)
{
	for (size_t i = 0; i < report->nr_ages; i++)
		free(report->ages[i].what);
	free(report->ages);
	free(report->findings);
}
