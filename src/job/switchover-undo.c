/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What is undone depends on one thing: whether QEMU is still here. */
#include <poll.h>
#include <string.h>

#include "dm/handover.h"
#include "job/interrupt.h"
#include "job/seed.h"
#include "job/switchover-parts.h"
#include "vm/control.h"

#define LOOK_MS 20
#define END_MS 30000
#define ANSWER_MS 3000

/* Its RAM is over there, and all of its disks is here alone: as after a power
 * cut. */
static void lose_memory(struct switchover *sw, struct err *err)
{
	_cleanup_vm_dom_ struct vm_dom *there = NULL;
	char text[sizeof(err->text)];
	struct err why = {0};
	int r = 0;

	snprintf(text, sizeof(text), "%s", err->text);
	(void)handover_end(sw->session->state_dir, NULL);
	/* A host that does not answer would keep us waiting. */
	if (seed_ping(sw->request->seed, NULL) == 0 &&
	    vm_dom_find(sw->request->to, sw->session->uuid, &there, NULL) ==
		    0 &&
	    vm_dom_destroy(there, NULL) == 0)
		(void)vm_dom_undefine(there, NULL);
	err_clear(err);
	if (sw->was_running)
		r = vm_dom_start(sw->session->dom, &why);
	fail(err, -EIO,
	     "%s: its memory was on %s already when the last of its disks "
	     "could not be brought there (%s); its disks here are whole: %s%s",
	     sw->session->domain->name, seed_uri(sw->request->seed), text,
	     r == 0 && sw->was_running ? "it was started anew"
				       : "start it here",
	     why.text[0] ? " (that failed)" : "");
}

/*
 * libvirt's call may succeed although QEMU stays behind, standing, as after
 * libvirtd was started anew.  As long as not all is over there this is a way
 * back; after that it must be gone before anything goes on there.
 */
int switchover_see_gone(struct switchover *sw, struct err *err)
{
	struct vm_dom_state state;
	int r = vm_dom_state(sw->session->dom, &state, err);

	if (r == 0 && state.active)
		r = sw->finished && !state.running
			    ? vm_dom_destroy(sw->session->dom, err)
			    : fail(err, -EIO, "%s: did not leave",
				   sw->session->domain->name);
	sw->left = r == 0;
	return r;
}

/*
 * Whether it came to its end before it could be told to fail is known when its
 * thread is done, or, if the other host does not answer, when libvirt here has
 * forgotten it.
 */
static int end_migration(struct switchover *sw, struct err *err)
{
	uint64_t began_ms = ui_now_ms();

	vm_migrate_abort(sw->migration);
	while (!vm_migrate_has_ended(sw->migration) &&
	       (vm_dom_is_migrating(sw->session->dom) ||
		ui_now_ms() - began_ms < ANSWER_MS)) {
		if (ui_now_ms() - began_ms > END_MS) {
			vm_migrate_leave(TAKE_PTR(sw->migration));
			return fail(err, -ETIMEDOUT,
				    "its migration does not end");
		}
		poll(NULL, 0, LOOK_MS);
	}
	if (vm_migrate_wait(TAKE_PTR(sw->migration), LOOK_MS, NULL) == 0)
		(void)switchover_see_gone(sw, NULL);
	return 0;
}

/* It stays here. A resume that fails is the watchdog's to try again. */
void switchover_stay(struct switchover *sw)
{
	struct err why = {0};
	int r = 0;

	(void)interrupt_ignore(0);
	if (sw->migration)
		r = end_migration(sw, &why);
	if (r == 0 && sw->left)
		return;
	if (r == 0 && sw->was_running)
		r = vm_dom_go_on(sw->session->dom, &why);
	if (r == 0)
		r = handover_end(sw->session->state_dir, &why);
	if (r < 0) {
		ui_warn(sw->ui, "%s: %s; this goes on trying",
			sw->session->domain->name, why.text);
		watchdog_leave(&sw->watchdog);
		return;
	}
	sw->marked = false;
	watchdog_step(&sw->watchdog, WATCHDOG_WENT_ON);
}

void switchover_wind_up(struct switchover *sw, int r, struct err *err)
{
	switchover_abort_cut(sw);
	if (r == 0)
		watchdog_step(&sw->watchdog, WATCHDOG_WENT_ON);
	if (r == 0 || !sw->left)
		return;
	/* Over there, and whole, as far as is known: the watchdog sees that it
	 * goes on, when that host answers. */
	if (sw->finished ||
	    (sw->finishing && seed_ping(sw->request->seed, NULL) < 0)) {
		watchdog_leave(&sw->watchdog);
		return;
	}
	lose_memory(sw, err);
	watchdog_step(&sw->watchdog, WATCHDOG_WENT_ON);
}
