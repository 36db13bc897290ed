/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Everything that can be made ready is made ready before the freeze: the
 * guest waits for us from there on.  Nothing is printed until it is thawed.
 */
#include "job/instant.h"

#include <string.h>
#include <sys/time.h>

#include "base/err.h"
#include "dm/cut.h"
#include "job/session.h"
#include "job/ui.h"
#include "job/watchdog.h"
#include "vm/freeze.h"

#define THAW_S 15
#define THAW_ALONE_S 600
#define MARGIN_MS 10000
/* Another user of the agent: libvirt waits so long for the job and the answer
 * to its ping, before our own timeout begins. Once to freeze, once to thaw. */
#define LIBVIRT_WAIT_MS (2 * (30 + 5) * 1000)

unsigned int instant_deadline_ms(const struct instant_request *request)
{
	return (request->freeze_timeout_s + THAW_S) * 1000 +
	       INSTANT_SUSPEND_DEADLINE_MS + LIBVIRT_WAIT_MS + MARGIN_MS;
}

static int freeze(struct session *session,
		  const struct instant_request *request,
		  struct watchdog *watchdog, struct vm_freeze *ret_freeze,
		  struct err *err)
{
	if (watchdog_step(watchdog, WATCHDOG_FREEZE) < 0)
		return fail(err, -EPIPE, "the watchdog is gone");
	return vm_freeze(session->dom, request->freeze_timeout_s, ret_freeze,
			 err);
}

/*
 * A thaw that we cannot get through is the watchdog's to go on with. Somebody
 * may have thawed the guest before us: then there is nothing to thaw any more,
 * and the cut was not quiet.
 */
static void thaw(struct session *session, struct vm_freeze *freeze,
		 struct watchdog *watchdog, struct ui *ui)
{
	struct err err = {0};
	int thawed = freeze->nr_filesystems;

	if (vm_freeze_needs_thaw(freeze))
		thawed = vm_thaw(session->dom, THAW_S, &err);
	if (thawed == 0 && freeze->nr_filesystems) {
		freeze->result = VM_FREEZE_NONE;
		snprintf(freeze->reason, sizeof(freeze->reason),
			 "somebody else thawed it before the cut was over");
	}
	if (thawed >= 0) {
		watchdog_step(watchdog, WATCHDOG_THAWED);
		return;
	}
	ui_warn(ui, "%s: the guest is not thawed yet (%s); this goes on trying",
		session->domain->name, err.text);
	if (watchdog_step(watchdog, WATCHDOG_HAND_OVER) < 0)
		(void)vm_thaw(session->dom, THAW_ALONE_S, NULL);
}

int instant_cut(struct cut *cut, struct watchdog *watchdog, struct err *err)
{
	int r;

	if (watchdog_step(watchdog, WATCHDOG_SUSPEND) < 0)
		return fail(err, -EPIPE, "the watchdog is gone");
	r = cut_run(cut, err);
	if (cut_is_resumed(cut))
		watchdog_step(watchdog, WATCHDOG_RESUMED);
	if (r != -ESTALE)
		return r;
	/* Somebody resumed a disk in between; not a matter of the target. */
	err->code = -EAGAIN;
	return err->code;
}

static void say_freeze(const struct session *session,
		       const struct instant_request *request,
		       const struct vm_freeze *freeze, struct ui *ui)
{
	if (request->freeze == CONFIG_FREEZE_NO ||
	    freeze->result == VM_FROZEN || !session->state.active)
		return;
	if (freeze->result == VM_FREEZE_OTHER)
		ui_note(ui, "%s: was frozen by somebody else, and stays so",
			session->domain->name);
	else
		ui_warn(ui, "%s: the guest was not quiesced: %s",
			session->domain->name, freeze->reason);
}

int instant_take(struct session *session, const struct instant_request *request,
		 struct watchdog *watchdog, struct instant *ret_instant,
		 struct ui *ui, struct err *err)
{
	struct vm_freeze frozen = {.result = VM_FREEZE_NONE};
	_cleanup_cut_ struct cut *cut = NULL;
	struct instant instant = {0};
	uint64_t began_ms;
	int r = uuid_new(instant.epoch, err);

	if (r == 0)
		r = cut_prepare(session->stacks, session->nr_disks,
				instant.epoch, &cut, err);
	if (r < 0)
		return r;
	instant.asked = request->freeze != CONFIG_FREEZE_NO &&
			session->state.running;
	began_ms = ui_now_ms();
	if (instant.asked)
		r = freeze(session, request, watchdog, &frozen, err);
	if (r < 0)
		frozen.result = VM_FREEZE_LATE;
	else
		r = instant_cut(cut, watchdog, err);
	thaw(session, &frozen, watchdog, ui);
	if (frozen.result == VM_FROZEN)
		instant.freeze_ms = ui_now_ms() - began_ms;
	instant.suspend_ms = (cut_suspend_us(cut) + 999) / 1000;
	instant.frozen = frozen.result == VM_FROZEN ||
			 frozen.result == VM_FREEZE_OTHER;
	if (r < 0)
		return r;
	say_freeze(session, request, &frozen, ui);
	*ret_instant = instant;
	return 0;
}
