/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What is here is asked first: as long as QEMU is here, nothing has left. */
#include "job/settle.h"

#include <poll.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/io.h"
#include "base/name.h"
#include "dm/handover.h"
#include "job/seed.h"
#include "job/turn.h"
#include "job/ui.h"
#include "repo/mirror.h"
#include "repo/pending.h"
#include "vm/control.h"
#include "vm/host.h"
#include "vm/migrate.h"

#define PAUSE_MS 200
#define START_TRIES 5
#define ABORT_MS 30000
#define LET_GO_MS 5000
#define RESUME_MS 60000 /* as long as the other host may hold it back */

struct settling {
	struct vm_host *host;
	struct vm_dom *dom;
	char *state_dir;
	struct handover mark;
	int turn_fd; /* -1: not taken */
	struct ui *ui;
};

static void cleanup_settling(struct settling *settling)
{
	vm_dom_free(settling->dom);
	vm_host_close(settling->host);
	free(settling->state_dir);
	handover_clear(&settling->mark);
	if (settling->turn_fd >= 0)
		close(settling->turn_fd);
}

static int look(struct settling *settling, const char *connect,
		const char *domain, struct err *err)
{
	int r = vm_host_open(connect, &settling->host, err);

	if (r == 0)
		r = vm_dom_find(settling->host, domain, &settling->dom, err);
	if (r < 0)
		return r;
	settling->state_dir =
		io_format(PLACE_STATE "/%s", vm_dom_uuid(settling->dom));
	if (!settling->state_dir)
		return fail(err, -ENOMEM, "out of memory");
	return handover_read(settling->state_dir, &settling->mark, err);
}

/*
 * Alone from here on: whoever moves it has the turn, and the mark is his.  Not
 * while a host is called that may not answer: nobody else could do anything.
 */
static int mind(struct settling *settling, struct err *err)
{
	struct err why = {0};

	if (settling->turn_fd >= 0)
		return 0;
	settling->turn_fd = turn_take(vm_dom_uuid(settling->dom),
				      vm_dom_name(settling->dom), NULL, &why);
	if (settling->turn_fd == -EBUSY)
		return fail(
			err, -EBUSY,
			"%s: it is being moved, or another run has it; wait "
			"for that, or end it",
			vm_dom_name(settling->dom));
	if (settling->turn_fd < 0)
		return fail(err, settling->turn_fd, "%s", why.text);
	handover_clear(&settling->mark);
	return handover_read(settling->state_dir, &settling->mark, err);
}

/* ------------------------------------------------------------------ here */

/* It was on its way: a migration that goes on is ended. *@ret_here: QEMU is
 * here, still. */
static int stay(struct settling *settling, bool *ret_here, struct err *err)
{
	uint64_t began_ms = ui_now_ms();
	struct vm_dom_state state;
	int r = mind(settling, err);

	if (r < 0)
		return r;
	if (settling->mark.left)
		return fail(err, -EBUSY,
			    "%s: is on %s, and yet there is a QEMU of it here; "
			    "'virsh destroy' ends that",
			    vm_dom_name(settling->dom), settling->mark.uri);
	while (vm_dom_is_migrating(settling->dom)) {
		vm_dom_abort_migration(settling->dom);
		if (ui_now_ms() - began_ms > ABORT_MS)
			return fail(err, -EBUSY,
				    "%s: its migration does not end; see "
				    "'virsh domjobinfo'",
				    vm_dom_name(settling->dom));
		poll(NULL, 0, PAUSE_MS);
	}
	r = vm_dom_state(settling->dom, &state, err);
	*ret_here = r == 0 && state.active;
	if (!*ret_here)
		return r;
	if (settling->mark.running)
		r = vm_dom_go_on(settling->dom, err);
	return r < 0 ? r : handover_end(settling->state_dir, err);
}

/* ----------------------------------------------------------------- there */

/* It arrived whole, and may go on as soon as its disks are let go of. */
static int go_on_there(struct settling *settling, struct vm_dom *there,
		       struct err *err)
{
	uint64_t began_ms = ui_now_ms();
	struct vm_dom_state state;
	struct err why = {0};
	int r = vm_dom_state(there, &state, &why);

	while (r == 0 && state.active && !state.running &&
	       settling->mark.running && (r = vm_dom_go_on(there, &why)) < 0 &&
	       ui_now_ms() - began_ms < RESUME_MS) {
		poll(NULL, 0, PAUSE_MS);
		err_clear(&why);
		r = 0;
	}
	if (r < 0)
		return fail(err, r, "%s: %s", settling->mark.uri, why.text);
	if (settling->mark.running && !state.active)
		ui_warn(settling->ui,
			"%s: is on %s with all its disks, and does not run: "
			"start it there",
			vm_dom_name(settling->dom), settling->mark.uri);
	settling->mark.left = true;
	settling->mark.running = false;
	return handover_mark(settling->state_dir, &settling->mark, err);
}

/* Unless the guest itself had come to its end, or it is not known. */
static void start_anew(const struct settling *settling)
{
	struct err why = {0};
	int r = -ENODATA;

	for (int i = 0; i < START_TRIES && r < 0; i++) {
		if (!vm_dom_has_migrated(settling->dom))
			break;
		err_clear(&why);
		r = vm_dom_start(settling->dom, &why);
		if (r < 0)
			poll(NULL, 0, PAUSE_MS);
	}
	ui_warn(settling->ui,
		"%s: was cut off on its way to %s, and what was in its memory "
		"is lost; its disks here are whole: %s%s",
		vm_dom_name(settling->dom), settling->mark.uri,
		r == 0 ? "it was started anew" : "start it here; ", why.text);
}

/* Its memory is there, without all of its disks; here they are whole. */
static int take_back(struct settling *settling, struct vm_dom *there,
		     struct err *err)
{
	struct vm_dom_state state;
	struct err why = {0};
	int r = there ? vm_dom_state(there, &state, &why) : 0;

	/* Somebody had it go on, for all that is missing: he is to decide. */
	if (r == 0 && there && state.running)
		r = fail(&why, -EBUSY,
			 "it runs there, without the last blocks of its disks; "
			 "if they are not needed destroy it there");
	if (r == 0 && there && state.active)
		r = vm_dom_destroy(there, &why);
	if (r == 0 && there && state.persistent)
		r = vm_dom_undefine(there, &why);
	if (r < 0)
		return fail(err, r, "%s: %s", settling->mark.uri, why.text);
	r = handover_end(settling->state_dir, err);
	if (r == 0 && settling->mark.running)
		start_anew(settling);
	return r;
}

/* Of a host that answers. Where it arrived it is that host's, whatever it has
 * become there. */
static int look_there(struct settling *settling, struct vm_host *host,
		      enum settle_result *ret_result,
		      struct vm_dom_state *ret_state, struct err *err)
{
	const char *uuid = vm_dom_uuid(settling->dom);
	_cleanup_vm_dom_ struct vm_dom *there = NULL;
	bool arrived = settling->mark.left;
	struct err why = {0};
	int r = vm_dom_find(host, uuid, &there, &why);

	if (r == 0)
		r = vm_dom_state(there, ret_state, &why);
	if (r < 0 && r != -ENOENT)
		return 0;
	/* Without its QEMU nothing speaks for that host. */
	if (!arrived &&
	    seed_release(settling->mark.uri, uuid, ret_state->active, &arrived,
			 settling->ui, NULL) < 0)
		return 0;
	*ret_result = arrived ? SETTLE_THERE : SETTLE_HERE;
	if (!arrived) {
		*ret_state = (struct vm_dom_state){0};
		return take_back(settling, there, err);
	}
	return there ? go_on_there(settling, there, err) : 0;
}

static int ask_there(struct settling *settling, enum settle_result *ret_result,
		     struct vm_dom_state *ret_state, struct err *err)
{
	_cleanup_vm_host_ struct vm_host *there = NULL;
	struct vm_dom_state state;
	struct err why = {0};
	int r;

	*ret_result = SETTLE_UNKNOWN;
	if (vm_host_open(settling->mark.uri, &there, &why) < 0)
		return 0;
	r = mind(settling, err);
	if (r == 0)
		r = vm_dom_state(settling->dom, &state, err);
	if (r < 0)
		return r;
	/* It was settled meanwhile. */
	if (!settling->mark.uri || state.active) {
		*ret_result = SETTLE_HERE;
		return 0;
	}
	return look_there(settling, there, ret_result, ret_state, err);
}

/* ------------------------------------------------------------- the whole */

static int settle(struct settling *settling, enum settle_result *ret_result,
		  struct vm_dom_state *ret_there, struct err *err)
{
	struct vm_dom_state state;
	bool here = false;
	int r;

	*ret_result = SETTLE_NOTHING;
	*ret_there = (struct vm_dom_state){0};
	if (!settling->mark.uri)
		return 0;
	r = vm_dom_state(settling->dom, &state, err);
	if (r == 0 && state.active)
		r = stay(settling, &here, err);
	if (r < 0)
		return r;
	*ret_result = SETTLE_HERE;
	return here ? 0 : ask_there(settling, ret_result, ret_there, err);
}

int settle_run(const char *connect, const char *domain,
	       enum settle_result *ret_result, char **ret_uri, struct ui *ui,
	       struct err *err)
{
	_cleanup_(cleanup_settling) struct settling settling = {.turn_fd = -1,
								.ui = ui};
	struct vm_dom_state there;
	int r = look(&settling, connect, domain, err);

	*ret_uri = NULL;
	if (r == 0)
		r = settle(&settling, ret_result, &there, err);
	if (r == 0)
		*ret_uri = TAKE_PTR(settling.mark.uri);
	return r;
}

/* What it wrote over there, on the disks there and on mirrors, nobody here
 * knows of: to them, all is new. */
static int forget_others(const struct settling *settling, struct err *err)
{
	_cleanup_pending_targets_ struct pending_targets *known = NULL;
	int r = pending_targets(settling->state_dir, &known, err);

	for (size_t i = 0; r == 0 && i < known->nr_targets; i++) {
		const struct pending_target *target = &known->targets[i];

		if (seed_is_uri(target->location) ||
		    mirror_is_uri(target->location) || !target->location[0])
			r = pending_forget(settling->state_dir, target->repo_id,
					   err);
	}
	return r;
}

static int give_back(const struct settling *settling, bool answers,
		     struct err *err)
{
	int r = forget_others(settling, err);

	if (r == 0)
		r = handover_end(settling->state_dir, err);

	if (r == 0 && answers)
		ui_note(settling->ui,
			"%s: may be started here again, on its disks as they "
			"were when it was handed over; what it wrote on %s is "
			"not here, and it should not be started there: "
			"undefine it there",
			vm_dom_name(settling->dom), settling->mark.uri);
	else if (r == 0)
		ui_warn(settling->ui,
			"%s: may be started here again, cold, on its disks as "
			"they were when it was handed over; %s does not answer: "
			"see that it is not running there, and does not come "
			"back by itself",
			vm_dom_name(settling->dom), settling->mark.uri);
	return r;
}

/* Its places may be others than when it was here before. */
static int define_as_it_came(const struct settling *settling, struct err *err)
{
	_cleanup_free_ char *xml = NULL;
	int r = handover_read_xml(settling->state_dir, &xml, err);

	return r < 0 ? r : vm_host_define(settling->host, xml, err);
}

/* Who received it lets go of its disks, if all of it came. */
static int have_let_go(const struct settling *settling, struct err *err)
{
	const char *uuid = vm_dom_uuid(settling->dom);
	uint64_t began_ms = ui_now_ms();

	handover_tell(uuid);
	while (handover_is_arriving(settling->state_dir) &&
	       handover_is_let_in(uuid)) {
		if (ui_now_ms() - began_ms > LET_GO_MS)
			return fail(
				err, -EBUSY,
				"%s: who received it does not let go of its "
				"disks; end the process in "
				"/run/dsync-vm/%s/incoming",
				vm_dom_name(settling->dom), uuid);
		poll(NULL, 0, PAUSE_MS);
	}
	return 0;
}

/*
 * It came here, or was about to, and where it came from is gone: what nobody
 * can know is for the admin to say.
 */
static int take_over(const struct settling *settling, struct err *err)
{
	const char *name = vm_dom_name(settling->dom);
	bool whole = handover_is_whole(settling->state_dir);
	int r = 0;

	if (!whole && handover_is_let_in(vm_dom_uuid(settling->dom)))
		return fail(err, -EBUSY,
			    "%s: its disks are not complete here, and somebody "
			    "brings them; if nobody does, 'virsh destroy' it",
			    name);
	if (whole)
		r = define_as_it_came(settling, err);
	if (r == 0)
		r = have_let_go(settling, err);
	if (r == 0)
		r = forget_others(settling, err);
	if (r == 0)
		r = handover_arrived(settling->state_dir, err);
	if (r == 0)
		r = handover_end(settling->state_dir, err);
	if (r == 0 && whole)
		ui_warn(settling->ui,
			"%s: all of it is here, and it may go on, or be "
			"started: see that it is not running where it came "
			"from",
			name);
	else if (r == 0)
		ui_warn(settling->ui,
			"%s: may be started here, but its disks are not "
			"complete: restore them first, and see that it is not "
			"running where it came from",
			name);
	return r;
}

int settle_abort(const char *connect, const char *domain, struct ui *ui,
		 struct err *err)
{
	_cleanup_(cleanup_settling) struct settling settling = {.turn_fd = -1,
								.ui = ui};
	struct vm_dom_state there, here;
	enum settle_result result;
	int r = look(&settling, connect, domain, err);

	if (r == 0)
		r = vm_dom_state(settling.dom, &here, err);
	/* It came, and stands: an older mark says nothing of it. */
	if (r == 0 && here.active && handover_is_arriving(settling.state_dir))
		return take_over(&settling, err);
	if (r == 0)
		r = settle(&settling, &result, &there, err);
	if (r < 0)
		return r;
	if (there.active)
		return fail(err, -EBUSY,
			    "%s: runs on %s; shut it down there first, or move "
			    "it back with 'dsync-vm preseed' over there",
			    vm_dom_name(settling.dom), settling.mark.uri);
	if (handover_is_arriving(settling.state_dir))
		return take_over(&settling, err);
	if (result == SETTLE_NOTHING)
		return fail(err, -ENOENT,
			    "%s: was not handed over, there is nothing to give "
			    "back",
			    vm_dom_name(settling.dom));
	if (result == SETTLE_HERE) {
		ui_note(ui, "%s: did not leave; it is this host's",
			vm_dom_name(settling.dom));
		return 0;
	}
	r = mind(&settling, err);
	return r < 0 ? r : give_back(&settling, result == SETTLE_THERE, err);
}
