/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The same for a domain that does not run: nobody waits, and there is no RAM. */
#include "dm/cut.h"
#include "dm/handover.h"
#include "job/interrupt.h"
#include "job/seed.h"
#include "job/switchover-parts.h"
#include "job/turn.h"

#define SUSPEND_DEADLINE_MS 10000

static int get_ready(struct switchover *sw, struct err *err)
{
	const struct switchover_request *request = sw->request;
	const struct turn_wait wait = {.wait_s = request->wait_s,
				       .target = seed_uri(request->seed),
				       .cancelled = sw->cancelled,
				       .ui = sw->ui};
	_cleanup_free_ char *xml = NULL;
	int r = session_open(request->connect, request->domain, &wait,
			     &sw->session, err);

	if (r == 0 && sw->session->state.active)
		r = fail(err, -EBUSY, "%s: was started meanwhile",
			 sw->session->domain->name);
	if (r == 0)
		r = switchover_open_disks(sw, err);
	if (r == 0)
		r = vm_dom_xml(sw->session->dom, VM_XML_NEXT, &xml, err);
	if (r < 0)
		return r;
	sw->next = request->make_xml(request->opaque, xml, err);
	return sw->next ? 0 : err->code;
}

/* It cannot be started here from now on; it may have been. */
static int mark(struct switchover *sw, struct err *err)
{
	const struct handover handover = {
		.uri = (char *)seed_uri(sw->request->seed)};
	int r = handover_mark(sw->session->state_dir, &handover, err);

	sw->marked = r == 0;
	if (r == 0)
		r = vm_dom_state(sw->session->dom, &sw->session->state, err);
	if (r == 0 && sw->session->state.active)
		r = fail(err, -EBUSY, "%s: was started meanwhile",
			 sw->session->domain->name);
	return r;
}

static int bring_rest(struct switchover *sw, struct err *err)
{
	const struct watchdog_plan plan = {
		.connect = sw->request->connect,
		.domain_uuid = sw->session->uuid,
		.disks = sw->session->stacks,
		.nr_disks = sw->session->nr_disks,
		.suspend_deadline_ms = SUSPEND_DEADLINE_MS,
	};
	int r = watchdog_start(&plan, &sw->watchdog, err);

	if (r == 0)
		r = seed_arm(sw->request->seed, err);
	if (r == 0)
		r = switchover_carry(sw, err);
	if (r == 0)
		r = switchover_prepare_cut(sw, err);
	if (r == 0)
		r = session_refresh(sw->session, err);
	if (r == 0)
		r = switchover_ship_last(sw, err);
	if (r == 0)
		r = seed_finish(sw->request->seed, sw->next, err);
	return r;
}

/*
 * Defined there, it is over there, whatever happens then.  If nobody says
 * whether it is, the mark stays.
 */
static int define(struct switchover *sw, struct err *err)
{
	const struct handover handover = {
		.uri = (char *)seed_uri(sw->request->seed), .left = true};
	_cleanup_vm_dom_ struct vm_dom *there = NULL;
	int r = vm_host_define(sw->request->to, sw->next, err);

	if (r < 0)
		sw->left = vm_dom_find(sw->request->to, sw->session->uuid,
				       &there, NULL) != -ENOENT;
	if (r < 0)
		return r;
	sw->left = true;
	r = seed_let_go(sw->request->seed, err);
	return r < 0 ? r
		     : handover_mark(sw->session->state_dir, &handover, err);
}

int switchover_offline(const struct switchover_request *request,
		       struct switchover_report *ret_report, struct ui *ui,
		       struct err *err)
{
	struct switchover sw = {
		.request = request,
		.report = ret_report,
		.watchdog.fd = -1,
		.cancelled = interrupt_catch(),
		.ui = ui,
	};
	int r;

	*ret_report = (struct switchover_report){0};
	r = get_ready(&sw, err);
	if (r == 0)
		r = mark(&sw, err);
	if (r == 0)
		r = bring_rest(&sw, err);
	if (r == 0)
		r = define(&sw, err);
	if (sw.session)
		switchover_abort_cut(&sw);
	if (r < 0 && sw.marked && !sw.left)
		(void)handover_end(sw.session->state_dir, NULL);
	switchover_close_disks(&sw);
	cut_free(sw.cut);
	session_close(sw.session);
	watchdog_end(&sw.watchdog);
	free(sw.next);
	return r;
}
