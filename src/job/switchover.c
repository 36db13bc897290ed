/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * QEMU may end a migration by itself, too early, when nothing is left of RAM.
 * Then the guest stands over there, held by the receiver, and what is missing
 * of its disks is still here: it is brought as if nothing had happened, only
 * that there is no way back any more.
 */
#include "job/switchover.h"

#include <poll.h>
#include <string.h>

#include "dm/cut.h"
#include "dm/handover.h"
#include "job/instant.h"
#include "job/interrupt.h"
#include "job/seed.h"
#include "job/switchover-parts.h"
#include "job/turn.h"
#include "vm/control.h"

#define LOOK_MS 20
#define STALL_MS 15000
#define TELL_MS 1000
#define RESUME_MS 10000
#define GRACE_MS 3000           /* to the time that it may stand */
#define PAUSE_DEADLINE_MS 60000 /* and what is allowed */

/* ------------------------------------------------------------ getting ready */

void switchover_init(struct switchover *sw,
		     const struct switchover_request *request,
		     struct switchover_report *ret_report, struct ui *ui)
{
	*ret_report = (struct switchover_report){0};
	*sw = (struct switchover){
		.request = request,
		.report = ret_report,
		.watchdog.fd = -1,
		.bytes_per_s = request->bytes_per_s,
		.ram_bytes_per_s = request->bytes_per_s,
		.cancelled = interrupt_catch(),
		.ui = ui,
	};
}

int switchover_open(struct switchover *sw, struct err *err)
{
	const struct switchover_request *request = sw->request;
	const struct turn_wait wait = {.wait_s = request->wait_s,
				       .target = seed_uri(request->seed),
				       .cancelled = sw->cancelled,
				       .ui = sw->ui};

	return session_open(request->connect, request->domain, &wait,
			    &sw->session, err);
}

void switchover_close(struct switchover *sw)
{
	switchover_close_disks(sw);
	cut_free(sw->cut);
	session_close(sw->session);
	watchdog_end(&sw->watchdog);
	free(sw->xml);
	free(sw->next);
}

char *switchover_xml(struct switchover *sw, enum vm_xml_which which,
		     struct err *err)
{
	_cleanup_free_ char *xml = NULL;

	if (vm_dom_xml(sw->session->dom, which, &xml, err) < 0)
		return NULL;
	return sw->request->make_xml(sw->request->opaque, xml, err);
}

int switchover_watch(struct switchover *sw, struct err *err)
{
	const struct watchdog_plan plan = {
		.connect = sw->request->connect,
		.domain_uuid = sw->session->uuid,
		.disks = sw->session->stacks,
		.nr_disks = sw->session->nr_disks,
		.suspend_deadline_ms = INSTANT_SUSPEND_DEADLINE_MS,
		.pause_deadline_ms =
			sw->request->max_downtime_ms + PAUSE_DEADLINE_MS,
	};

	return watchdog_start(&plan, &sw->watchdog, err);
}

int switchover_mark(struct switchover *sw, bool left, struct err *err)
{
	const struct handover handover = {
		.uri = (char *)seed_uri(sw->request->seed),
		.left = left,
		.running = sw->was_running && !left,
	};
	int r = handover_mark(sw->session->state_dir, &handover, err);

	sw->marked |= r == 0;
	/* Who is killed from here on is followed by the watchdog. */
	if (r == 0 && !left && watchdog_step(&sw->watchdog, WATCHDOG_PAUSE) < 0)
		r = fail(err, -EPIPE, "the watchdog is gone");
	return r;
}

static int check_session(struct switchover *sw, struct err *err)
{
	if (!sw->session->state.active)
		return fail(err, -EAGAIN,
			    "%s: was shut down meanwhile; --offline moves it",
			    sw->session->domain->name);
	if (!session_is_tracked(sw->session))
		return fail(
			err, -EOPNOTSUPP,
			"%s: is not tracked: its last changes are not known",
			sw->session->domain->name);
	return 0;
}

static int get_ready(struct switchover *sw, struct err *err)
{
	int r = switchover_open(sw, err);

	if (r == 0)
		r = check_session(sw, err);
	if (r == 0)
		r = switchover_open_disks(sw, err);
	if (r < 0)
		return r;
	sw->xml = switchover_xml(sw, VM_XML_MOVE, err);
	sw->next = sw->xml ? switchover_xml(sw, VM_XML_NEXT, err) : NULL;
	if (!sw->next)
		return err->code ? err->code : -ENOMEM;
	r = switchover_watch(sw, err);
	if (r == 0)
		r = seed_arm(sw->request->seed, true, err);
	return r;
}

static int start_migration(struct switchover *sw, struct err *err)
{
	const struct vm_migrate_request request = {
		.to = sw->request->to,
		.uri = seed_memory_uri(sw->request->seed),
		.xml = sw->xml,
		.next = sw->next,
	};
	struct vm_dom_state state;
	int r = vm_dom_state(sw->session->dom, &state, err);

	/* As it is from here on: a migration keeps it from being resumed. */
	sw->was_running = r == 0 && state.running;
	if (r == 0)
		r = switchover_mark(sw, false, err);
	return r < 0 ? r
		     : vm_migrate_start(sw->session->dom, &request,
					&sw->migration, err);
}

/* ------------------------------------------------------------- the instant */

static int see_it_gone(struct switchover *sw, struct err *err)
{
	int r = vm_migrate_wait(TAKE_PTR(sw->migration), 0, err);

	return r < 0 ? r : switchover_see_gone(sw, err);
}

/* RAM got on at @moved_ms. */
static int check_pace(const struct switchover *sw, uint64_t moved_ms,
		      struct err *err)
{
	if (ui_now_ms() - moved_ms > STALL_MS)
		return fail(err, -ETIMEDOUT,
			    "%s: the migration does not get on",
			    seed_uri(sw->request->seed));
	return *sw->cancelled ? fail(err, -EINTR, "interrupted") : 0;
}

/* Waits for QEMU to be gone here. */
static int complete(struct switchover *sw, struct err *err)
{
	uint64_t left_bytes = UINT64_MAX, moved_ms = ui_now_ms(), told_ms = 0;
	struct vm_migrate_progress ram;
	int r = 0;

	switchover_alive(sw);
	while (r == 0 && !vm_migrate_has_ended(sw->migration)) {
		/* One that was told went on slowly all the same, once. */
		if (ui_now_ms() - told_ms > TELL_MS) {
			told_ms = ui_now_ms();
			(void)vm_migrate_set_speed(sw->migration,
						   VM_MIGRATE_UNLIMITED, NULL);
		}
		r = vm_migrate_progress(sw->migration, &ram, err);
		if (ram.left_bytes != left_bytes) {
			left_bytes = ram.left_bytes;
			moved_ms = ui_now_ms();
		}
		if (r == 0)
			r = check_pace(sw, moved_ms, err);
		poll(NULL, 0, 5);
	}
	return r < 0 ? r : see_it_gone(sw, err);
}

/* Also one that stands: whatever it is by now, it must not go on here. */
static int stop_guest(struct switchover *sw, struct err *err)
{
	/* From here on it is faster to finish than to undo; but as long as QEMU
	 * is here going back is free. */
	if (interrupt_ignore(sw->request->max_downtime_ms + GRACE_MS))
		return fail(err, -EINTR, "interrupted");
	switchover_alive(sw);
	sw->paused_ms = ui_now_ms();
	return vm_dom_suspend(sw->session->dom, err);
}

/* What keeps it from going on there is told to let go, if need be once more. */
static int let_go(const struct switchover *sw, struct err *err)
{
	const struct switchover_request *request = sw->request;
	struct err why = {0};
	bool arrived = false;
	int r = seed_let_go(request->seed, &why);

	if (r == 0)
		return 0;
	r = seed_release(seed_uri(request->seed), sw->session->uuid, true,
			 &arrived, sw->ui, err);
	return r < 0 || arrived ? r : fail(err, -EIO, "%s", why.text);
}

static int resume_there(const struct switchover *sw, struct err *err)
{
	_cleanup_vm_dom_ struct vm_dom *there = NULL;
	uint64_t began_ms = ui_now_ms();
	int r = vm_dom_find(sw->request->to, sw->session->uuid, &there, err);

	while (r == 0 && sw->was_running) {
		struct err why = {0};

		if (vm_dom_go_on(there, &why) == 0)
			break;
		if (ui_now_ms() - began_ms > RESUME_MS)
			r = fail(err, why.code, "%s", why.text);
		poll(NULL, 0, LOOK_MS);
	}
	return r;
}

/* Where the guest stands, and QEMU is gone here: somebody must have it go on. */
static int go_on_there(struct switchover *sw, struct err *err)
{
	struct err why = {0};
	int r = let_go(sw, &why);

	if (r == 0)
		r = resume_there(sw, &why);
	sw->report->downtime_ms = ui_now_ms() - sw->paused_ms;
	if (r == 0)
		r = switchover_mark(sw, true, &why);
	if (r == 0)
		return 0;
	return fail(err, r,
		    "%s: is on %s with all its disks, but could not be told to "
		    "go on (%s); that is tried again",
		    sw->session->domain->name, seed_uri(sw->request->seed),
		    why.text);
}

static int switch_over(struct switchover *sw, struct err *err)
{
	int r = stop_guest(sw, err);

	if (r == 0)
		r = switchover_ship_last(sw, err);
	if (r == 0)
		r = complete(sw, err);
	if (r < 0 && sw->paused_ms && *sw->cancelled) {
		err_clear(err);
		return fail(err, -EAGAIN,
			    "%s: to bring the last of it took longer than it "
			    "may stand; allow more with --max-downtime, or try "
			    "when it is quieter",
			    sw->session->domain->name);
	}
	if (r == 0)
		sw->report->memory_ms =
			ui_now_ms() - sw->paused_ms - sw->report->disks_ms;
	return r;
}

/*
 * QEMU is gone here, so the way on is shorter than any way back: also if it
 * came to its end too early, or while all was about to be undone. What it wrote
 * last is on the disks.
 */
static int arrive(struct switchover *sw, int r, struct err *err)
{
	struct err why = {0};

	(void)interrupt_ignore(0);
	if (!sw->finished) {
		ui_note(sw->ui, "%s: its memory got there before its disks",
			sw->session->domain->name);
		switchover_alive(sw);
		switchover_abort_cut(sw);
		if (!sw->paused_ms)
			sw->paused_ms = ui_now_ms();
		if (switchover_prepare_last(sw, &why) < 0 ||
		    switchover_ship_last(sw, &why) < 0)
			return r < 0 ? r : fail(err, why.code, "%s", why.text);
	}
	err_clear(err);
	return go_on_there(sw, err);
}

int switchover_run(const struct switchover_request *request,
		   struct switchover_report *ret_report, struct ui *ui,
		   struct err *err)
{
	struct switchover sw;
	int r;

	switchover_init(&sw, request, ret_report, ui);
	r = get_ready(&sw, err);
	if (r == 0)
		r = start_migration(&sw, err);
	if (r == 0)
		r = switchover_come_near(&sw, err);
	if (r == 0)
		r = vm_migrate_has_ended(sw.migration) ? see_it_gone(&sw, err)
						       : switch_over(&sw, err);
	if (r < 0 && sw.marked && !sw.left)
		switchover_stay(&sw);
	if (sw.left)
		r = arrive(&sw, r, err);
	if (sw.session)
		switchover_wind_up(&sw, r, err);
	switchover_close(&sw);
	return r < 0 ? err->code : 0;
}
