/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The same for a domain that does not run: nobody waits, and there is no RAM. */
#include "dm/handover.h"
#include "job/seed.h"
#include "job/switchover-parts.h"
#include "vm/control.h"

static int check_stopped(struct switchover *sw, struct err *err)
{
	return sw->session->state.active
		       ? fail(err, -EBUSY, "%s: was started meanwhile",
			      sw->session->domain->name)
		       : 0;
}

static int get_ready(struct switchover *sw, struct err *err)
{
	int r = switchover_open(sw, err);

	if (r == 0)
		r = check_stopped(sw, err);
	if (r == 0)
		r = switchover_open_disks(sw, err);
	if (r < 0)
		return r;
	sw->next = switchover_xml(sw, VM_XML_NEXT, err);
	if (!sw->next)
		return err->code ? err->code : -ENOMEM;
	r = switchover_watch(sw, err);
	/* Before the mark: without that over there, it would count as arrived. */
	if (r == 0)
		r = seed_arm(sw->request->seed, false, err);
	return r;
}

/* It cannot be started here from now on; it may have been. */
static int mark(struct switchover *sw, struct err *err)
{
	int r = switchover_mark(sw, false, err);

	if (r == 0)
		r = vm_dom_state(sw->session->dom, &sw->session->state, err);
	return r < 0 ? r : check_stopped(sw, err);
}

/* Before it is let go of: an older definition must not be what is started. */
static int define(struct switchover *sw, struct err *err)
{
	int r = vm_host_define(sw->request->to, sw->next, err);

	sw->defined = r == 0;
	return r;
}

static int let_go(struct switchover *sw, struct err *err)
{
	int r = seed_let_go(sw->request->seed, err);

	return r < 0 ? r : switchover_mark(sw, true, err);
}

/* What is left to be found out is left to the watchdog. */
static void wind_up(struct switchover *sw, int r)
{
	_cleanup_vm_dom_ struct vm_dom *there = NULL;

	switchover_abort_cut(sw);
	if (r < 0 && sw->finishing) {
		watchdog_leave(&sw->watchdog);
		return;
	}
	/* A host that does not answer would keep us waiting. */
	if (r < 0 && sw->defined && seed_ping(sw->request->seed, NULL) == 0 &&
	    vm_dom_find(sw->request->to, sw->session->uuid, &there, NULL) == 0)
		(void)vm_dom_undefine(there, NULL);
	if (r < 0 && sw->marked)
		(void)handover_end(sw->session->state_dir, NULL);
	watchdog_step(&sw->watchdog, WATCHDOG_WENT_ON);
}

int switchover_offline(const struct switchover_request *request,
		       struct switchover_report *ret_report, struct ui *ui,
		       struct err *err)
{
	struct switchover sw;
	int r;

	switchover_init(&sw, request, ret_report, ui);
	r = get_ready(&sw, err);
	if (r == 0)
		r = mark(&sw, err);
	if (r == 0)
		r = switchover_prepare_last(&sw, err);
	if (r == 0)
		r = define(&sw, err);
	if (r == 0)
		r = switchover_ship_last(&sw, err);
	if (r == 0)
		r = let_go(&sw, err);
	if (sw.session)
		wind_up(&sw, r);
	switchover_close(&sw);
	return r;
}
