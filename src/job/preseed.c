/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A pass is a pass of a mirror, in which other runs may take their turn; only
 * the switch-over has the domain to itself.
 *
 * How long the guest would stand is what is left, at the rate of the passes.
 * The best one counts: a short pass is slowed down by what it takes whatever is
 * sent.
 */
#include "job/preseed.h"

#include <poll.h>
#include <string.h>

#include "base/io.h"
#include "base/name.h"
#include "job/interrupt.h"
#include "job/mirror.h"
#include "job/preseed-parts.h"
#include "job/settle.h"
#include "repo/pending.h"
#include "vm/control.h"

#define WAIT_S (24 * 3600) /* for another run */
#define SHUTDOWN_MS (300 * 1000)
#define RATE_LEAST_BYTES 4096 /* less sent says nothing of a rate */

/* ------------------------------------------------------------------ passes */

static void learn_rate(struct preseed *preseed, const struct mirror_pass *pass)
{
	const struct backup_report *backup = pass->report;
	uint64_t spent_ms = 0, bytes_per_s;

	for (size_t i = 0; i < backup->nr_disks; i++)
		spent_ms += backup->disks[i].spent_ms;
	if (pass->sent_bytes < RATE_LEAST_BYTES)
		return;
	bytes_per_s = pass->sent_bytes * 1000 / (spent_ms ? spent_ms : 1);
	if (bytes_per_s > preseed->report->bytes_per_s)
		preseed->report->bytes_per_s = bytes_per_s;
}

static int run_pass(struct preseed *preseed, struct err *err)
{
	const struct preseed_request *request = preseed->request;
	const struct backup_request backup = {
		.connect = request->connect,
		.domain = preseed->uuid,
		.target = request->uri,
		.seed = preseed->seed,
		.instant.freeze = CONFIG_FREEZE_NO,
		.bwlimit_bytes = request->bwlimit_bytes,
		.is_pass = true,
		.wait_s = WAIT_S,
	};
	struct preseed_report *report = preseed->report;
	struct preseed_pass *last = &report->last;
	struct backup_report done;
	struct mirror_pass pass = {.number = report->nr_passes + 1};
	int r = mirror_pass(&backup, &done, &pass, preseed->ui, err);

	if (r == 0 && !pass.behind_known)
		r = fail(err, -EAGAIN,
			 "%s: it is not known what was written since the "
			 "pass; see 'dsync-vm status'",
			 preseed->name);
	if (r == 0) {
		learn_rate(preseed, &pass);
		report->nr_passes++;
		report->sent_bytes += pass.sent_bytes;
		/* That all of it was new to the host is no loss. */
		report->resynced |= done.resynced;
		*last = (struct preseed_pass){
			.number = pass.number,
			.sent_bytes = pass.sent_bytes,
			.spent_ms = done.spent_ms,
			.left_bytes = pass.behind_bytes,
			.estimate_ms = switchover_estimate_ms(
				preseed->seed, pass.behind_bytes,
				report->bytes_per_s),
		};
	}
	backup_report_free(&done);
	return r;
}

static int give_up(const struct preseed *preseed, struct err *err)
{
	const struct preseed_pass *last = &preseed->report->last;
	char left[16], written[16], brought[16];
	uint64_t spent_ms = last->spent_ms ? last->spent_ms : 1;

	return fail(err, -EAGAIN,
		    "%s: after %u passes %s are left, for which the guest "
		    "would stand %llu ms: it writes %s/s, and %s/s get there; "
		    "allow more with --max-downtime or --max-passes, or try "
		    "when it is quieter",
		    preseed->name, preseed->report->nr_passes,
		    ui_size(left, last->left_bytes),
		    (unsigned long long)last->estimate_ms,
		    ui_size(written, last->left_bytes * 1000 / spent_ms),
		    ui_size(brought, preseed->report->bytes_per_s));
}

/* What was brought to other places of that host would count as left, too. */
static int forget_other_places(const struct preseed *preseed, struct err *err)
{
	_cleanup_pending_targets_ struct pending_targets *known = NULL;
	_cleanup_free_ char *state_dir =
		io_format(PLACE_STATE "/%s", preseed->uuid);
	int r = state_dir ? pending_targets(state_dir, &known, err)
			  : fail(err, -ENOMEM, "out of memory");

	for (size_t i = 0; r == 0 && i < known->nr_targets; i++) {
		const struct pending_target *target = &known->targets[i];

		if (strcmp(target->location, preseed->request->uri) == 0 &&
		    strcmp(target->repo_id, seed_target_id(preseed->seed)) != 0)
			r = pending_forget(state_dir, target->repo_id, err);
	}
	return r;
}

/* Until what is left fits into the time that is allowed. */
static int bring_near(struct preseed *preseed,
		      void (*passed)(void *opaque,
				     const struct preseed_pass *pass),
		      void *opaque, struct err *err)
{
	const struct preseed_request *request = preseed->request;
	struct preseed_report *report = preseed->report;
	int r;

	do {
		r = run_pass(preseed, err);
		if (r < 0)
			return r;
		if (passed)
			passed(opaque, &report->last);
		if (report->last.estimate_ms <= request->max_downtime_ms)
			return 0;
	} while (report->nr_passes < request->max_passes);
	return give_up(preseed, err);
}

/* ------------------------------------------------------------------ moving */

/* A guest that does not want to is left running. */
static int shut_down(struct preseed *preseed, struct err *err)
{
	_cleanup_vm_host_ struct vm_host *here = NULL;
	_cleanup_vm_dom_ struct vm_dom *dom = NULL;
	uint64_t began_ms = ui_now_ms();
	struct vm_dom_state state;
	int r = vm_host_open(preseed->request->connect, &here, err);

	if (r == 0)
		r = vm_dom_find(here, preseed->uuid, &dom, err);
	if (r == 0)
		r = vm_dom_state(dom, &state, err);
	if (r < 0 || !state.active)
		return r;
	ui_note(preseed->ui, "%s: is asked to shut down", preseed->name);
	r = vm_dom_shutdown(dom, err);
	while (r == 0 && state.active) {
		if (*preseed->cancelled)
			return fail(err, -EINTR, "interrupted");
		if (ui_now_ms() - began_ms > SHUTDOWN_MS)
			return fail(err, -EBUSY,
				    "%s: does not shut down; do it by hand, "
				    "and run the same command again",
				    preseed->name);
		poll(NULL, 0, 200);
		r = vm_dom_state(dom, &state, err);
	}
	return r;
}

static int move(struct preseed *preseed, struct err *err)
{
	const struct preseed_request *request = preseed->request;
	const struct switchover_request switchover = {
		.connect = request->connect,
		.domain = preseed->uuid,
		.seed = preseed->seed,
		.to = preseed->to,
		.make_xml = preseed_make_xml,
		.opaque = preseed,
		.max_downtime_ms = request->max_downtime_ms,
		.bytes_per_s = preseed->report->bytes_per_s,
		.wait_s = WAIT_S,
	};
	struct switchover_report *report = &preseed->report->switchover;
	int r = 0;

	if (request->end == PRESEED_OFFLINE) {
		r = shut_down(preseed, err);
		if (r == 0)
			r = switchover_offline(&switchover, report, preseed->ui,
					       err);
	} else {
		r = switchover_run(&switchover, report, preseed->ui, err);
	}
	preseed->report->moved = r == 0;
	preseed->report->sent_bytes +=
		report->before_bytes + report->last_bytes;
	return r;
}

/* --------------------------------------------------------------- the whole */

/* One that was cut off is put right first. */
static int settle(struct preseed *preseed, struct err *err)
{
	enum settle_result result;
	char *uri = NULL;
	int r = settle_run(preseed->request->connect, preseed->request->domain,
			   &result, &uri, preseed->ui, err);

	if (r == 0 && result == SETTLE_THERE)
		r = fail(err, -EBUSY, "%s: was handed over to %s",
			 preseed->request->domain, uri);
	if (r == 0 && result == SETTLE_UNKNOWN)
		r = fail(err, -EBUSY,
			 "%s: was handed over to %s, which does not answer; if "
			 "that host is gone, 'dsync-vm preseed --abort %s' "
			 "gives it back to this one",
			 preseed->request->domain, uri,
			 preseed->request->domain);
	free(uri);
	return r;
}

static int run(struct preseed *preseed,
	       void (*passed)(void *opaque, const struct preseed_pass *pass),
	       void *opaque, struct err *err)
{
	const struct preseed_request *request = preseed->request;
	struct seed_domain domain = {.look_only = request->dry_run};
	int r = settle(preseed, err);

	if (r == 0)
		r = preseed_plan(preseed, err);
	if (r < 0)
		return r;
	domain.name = preseed->name;
	domain.uuid = preseed->uuid;
	domain.disks = preseed->disks;
	domain.nr_disks = preseed->nr_disks;
	r = seed_open(request->uri, &domain, preseed->cancelled, &preseed->seed,
		      preseed->ui, err);
	if (r < 0)
		return r;
	for (size_t i = 0; i < preseed->nr_disks; i++) {
		const char *disk = preseed->disks[i].disk;

		preseed->report->disks[i].exists =
			!seed_has_created(preseed->seed, disk);
		preseed->moved[i].block = seed_is_block(preseed->seed, disk);
	}
	if (request->dry_run)
		return seed_measure(preseed->seed,
				    &preseed->report->bytes_per_s, err);
	r = forget_other_places(preseed, err);
	if (r == 0)
		r = bring_near(preseed, passed, opaque, err);
	if (r < 0 || request->end == PRESEED_ONLY)
		return r;
	/* No pass had enough to send to tell. */
	if (!preseed->report->bytes_per_s)
		r = seed_measure(preseed->seed, &preseed->report->bytes_per_s,
				 err);
	return r < 0 ? r : move(preseed, err);
}

int preseed_run(const struct preseed_request *request,
		void (*passed)(void *opaque, const struct preseed_pass *pass),
		void *opaque, struct preseed_report *ret_report, struct ui *ui,
		struct err *err)
{
	struct preseed preseed = {.request = request,
				  .report = ret_report,
				  .cancelled = interrupt_catch(),
				  .ui = ui};
	int r;

	*ret_report = (struct preseed_report){0};
	if (!seed_is_uri(request->uri))
		return fail(err, -EINVAL,
			    "%s: the other host is to be "
			    "qemu+ssh://[user@]host[:port]/system",
			    request->uri);
	r = run(&preseed, passed, opaque, err);
	seed_close(preseed.seed);
	preseed_plan_clear(&preseed);
	/* To a goodbye a host that is gone would not answer for a long time. */
	if (r == 0)
		vm_host_close(preseed.to);
	ret_report->warned = ui->nr_warnings > 0;
	return r;
}

void preseed_report_free(struct preseed_report *report)
{
	for (size_t i = 0; i < report->nr_disks; i++)
		free(report->disks[i].path);
	free(report->disks);
	free(report->domain);
	free(report->uri);
}
