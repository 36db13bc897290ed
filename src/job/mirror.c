/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Each pass begins from nothing but what is on disk: so it makes no difference
 * whether the one before it was of this process or of one that was killed.
 */
#include "job/mirror.h"

#include <poll.h>
#include <string.h>

#include "job/interrupt.h"
#include "job/status.h"
#include "job/ui.h"
#include "repo/mirror.h"
#include "ship/ship.h"

struct mirror {
	const struct mirror_request *request;
	struct mirror_report *report;
	ship_cancel cancelled;
	struct ui *ui;
};

/* What status says of this target, of all disks together. */
static int measure(const struct backup_request *request,
		   struct mirror_pass *pass, struct err *err)
{
	const char *location = pass->report->location;
	struct status_report status;
	int r = status_run(request->connect, request->domain, &status, err);

	pass->behind_known = r == 0 && status.nr_disks;
	for (size_t i = 0; r == 0 && i < status.nr_disks; i++) {
		const struct status_disk *disk = &status.disks[i];

		/* Nobody wrote to it since. */
		if (disk->state == STATUS_STOPPED)
			continue;
		for (size_t j = 0; j < disk->nr_targets; j++) {
			const struct status_target *target = &disk->targets[j];

			if (strcmp(target->location, location) != 0)
				continue;
			pass->behind_known &= target->pending_known;
			pass->behind_bytes += target->pending_bytes;
		}
	}
	status_report_free(&status);
	return r;
}

int mirror_pass(const struct backup_request *request,
		struct backup_report *ret_report, struct mirror_pass *pass,
		struct ui *ui, struct err *err)
{
	int r = backup_run(request, ret_report, ui, err);

	if (r < 0)
		return r;
	pass->report = ret_report;
	for (size_t i = 0; i < ret_report->nr_disks; i++)
		pass->sent_bytes += ret_report->disks[i].sent_bytes;
	return measure(request, pass, err);
}

/* One of those of a mirror. */
static int pass(struct mirror *mirror,
		void (*passed)(void *opaque, const struct mirror_pass *pass),
		void *opaque, struct err *err)
{
	struct mirror_report *report = mirror->report;
	struct mirror_pass pass = {.number = report->nr_passes + 1};
	struct backup_report backup;
	int r = mirror_pass(&mirror->request->backup, &backup, &pass,
			    mirror->ui, err);

	if (r == 0) {
		passed(opaque, &pass);
		report->nr_passes++;
		report->sent_bytes += pass.sent_bytes;
		report->resynced |= backup.resynced;
		report->warned |= backup.warned;
		pass.report = NULL;
		report->last = pass;
	}
	backup_report_free(&backup);
	return r;
}

static bool is_enough(const struct mirror *mirror)
{
	const struct mirror_request *request = mirror->request;
	const struct mirror_pass *last = &mirror->report->last;

	return request->once ||
	       (request->until_below_bytes && last->behind_known &&
		last->behind_bytes < request->until_below_bytes);
}

/* A signal ends poll(2); one that came before it is noticed a second later. */
static void wait_for_next(const struct mirror *mirror)
{
	uint64_t end_ms = ui_now_ms() + mirror->request->interval_s * 1000;
	uint64_t now_ms;

	while (!*mirror->cancelled && (now_ms = ui_now_ms()) < end_ms)
		(void)poll(NULL, 0,
			   end_ms - now_ms < 1000 ? (int)(end_ms - now_ms)
						  : 1000);
}

int mirror_run(const struct mirror_request *request,
	       void (*passed)(void *opaque, const struct mirror_pass *pass),
	       void *opaque, struct mirror_report *ret_report, struct ui *ui,
	       struct err *err)
{
	struct mirror mirror = {.request = request,
				.report = ret_report,
				.cancelled = interrupt_catch(),
				.ui = ui};
	int r;

	*ret_report = (struct mirror_report){0};
	for (;;) {
		r = pass(&mirror, passed, opaque, err);
		if (r < 0 || is_enough(&mirror))
			break;
		wait_for_next(&mirror);
		if (*mirror.cancelled)
			break;
	}
	/* That it is told to end is how it ends. */
	if (r < 0 && *mirror.cancelled && !request->once) {
		ui_note(ui, "%s: ended within a pass", request->backup.target);
		err_clear(err);
		return 0;
	}
	return r;
}
