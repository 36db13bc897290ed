/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Everything that can be wrong is looked for before anything is begun. */
#include <string.h>

#include "base/bitmap.h"
#include "base/io.h"
#include "job/preseed-parts.h"
#include "job/session.h"
#include "job/turn.h"
#include "repo/pending.h"
#include "vm/record.h"

#define WAIT_S 600

/* ------------------------------------------------------------- over there */

/* Nobody of that name or uuid is in the way. */
static int check_domain_there(const struct preseed *preseed, struct err *err)
{
	_cleanup_vm_dom_ struct vm_dom *same = NULL, *named = NULL;
	const char *uri = preseed->request->uri;
	struct vm_dom_state state;
	struct err why = {0};
	int r = vm_dom_find(preseed->to, preseed->uuid, &same, &why);

	if (r < 0 && r != -ENOENT)
		return fail(err, r, "%s: %s", uri, why.text);
	if (r == 0) {
		r = vm_dom_state(same, &state, err);
		if (r == 0 && state.active)
			r = fail(
				err, -EBUSY,
				"%s: %s %s; if that is left of a move that was "
				"cut off, 'virsh -c %s destroy %s' removes it",
				preseed->name,
				state.running ? "runs on" : "stands on", uri,
				uri, preseed->name);
		return r;
	}
	err_clear(&why);
	if (vm_dom_find(preseed->to, preseed->name, &named, &why) == 0)
		return fail(err, -ESTALE,
			    "%s: %s has another domain of that name, with the "
			    "uuid %s; rename or undefine one of them",
			    preseed->name, uri, vm_dom_uuid(named));
	return 0;
}

static int check_there(struct preseed *preseed, const char *xml,
		       struct err *err)
{
	int r = vm_host_open(preseed->request->uri, &preseed->to, err);

	if (r == 0)
		r = check_domain_there(preseed, err);
	if (r == 0)
		r = vm_host_check_machine(preseed->to, xml, err);
	return r;
}

/* -------------------------------------------------------------------- here */

static const char *find_place(const struct preseed_request *request,
			      const char *disk)
{
	for (size_t i = 0; i < request->nr_places; i++)
		if (strcmp(request->places[i].disk, disk) == 0)
			return request->places[i].path;
	return NULL;
}

static int check_places(const struct preseed_request *request,
			const struct vm_domain *domain, struct err *err)
{
	for (size_t i = 0; i < request->nr_places; i++) {
		const struct vm_disk *disk =
			vm_domain_disk(domain, request->places[i].disk);

		if (!disk || !disk->tracked)
			return fail(err, -EINVAL,
				    "--disk=%s: %s has no such disk that is "
				    "attached",
				    request->places[i].disk, domain->name);
	}
	return 0;
}

/* What is not tracked would stay behind. */
static int check_whole(const struct vm_domain *domain, struct err *err)
{
	for (size_t i = 0; i < domain->nr_disks; i++) {
		const struct vm_disk *disk = &domain->disks[i];

		if (!disk->tracked && disk->path && !disk->readonly &&
		    strcmp(disk->device, "disk") == 0)
			return fail(err, -EOPNOTSUPP,
				    "%s: its disk %s is not attached, so it "
				    "cannot be brought there: %s",
				    domain->name, disk->target,
				    disk->reason ? disk->reason
						 : "attach it first");
	}
	return 0;
}

/* What the other host is known to miss; all of it if nothing is known. */
static uint64_t left_bytes(const struct session *session, size_t i,
			   const char *id, bool *ret_first)
{
	const struct session_disk *disk = &session->disks[i];
	_cleanup_pending_ struct pending *pending =
		pending_peek(session->state_dir, id, disk->disk->target);

	*ret_first = !pending || (!pending->newest[0] && !pending->attempt[0]);
	if (*ret_first || pending->size_bytes != disk->size_bytes ||
	    !pending_follows(pending, disk->tracker.epoch))
		return disk->size_bytes;
	return (bitmap_count(pending->map) + disk->tracker.dirty) *
	       pending->block_bytes;
}

static int plan_disk(struct preseed *preseed, const struct session *session,
		     size_t i, struct err *err)
{
	const struct preseed_request *request = preseed->request;
	const struct session_disk *from = &session->disks[i];
	struct preseed_disk *report = &preseed->report->disks[i];
	const char *place = find_place(request, from->disk->target);

	snprintf(report->disk, sizeof(report->disk), "%s", from->disk->target);
	report->path = strdup(place ? place : from->disk->original_path);
	report->size_bytes = from->size_bytes;
	preseed->report->nr_disks++;
	preseed->disks[i] = (struct seed_disk){
		.disk = report->disk,
		.name = strdup(session->stacks[i].name),
		.path = report->path,
		.size_bytes = from->size_bytes,
		.create = request->create,
		.overwrite = request->overwrite,
		.replace = request->overwrite,
	};
	preseed->nr_disks++;
	if (!report->path || !preseed->disks[i].name)
		return fail(err, -ENOMEM, "out of memory");
	preseed->moved[i] = (struct vm_moved_disk){
		.target = report->disk,
		.path = report->path,
	};
	return 0;
}

/* What we have brought there is no reason to ask. */
static void look_back(struct preseed *preseed, const struct session *session)
{
	char id[UUID_SIZE];
	bool first;

	seed_id(preseed->request->uri, preseed->disks, preseed->nr_disks, id);
	for (size_t i = 0; i < preseed->nr_disks; i++) {
		preseed->report->disks[i].left_bytes =
			left_bytes(session, i, id, &first);
		preseed->disks[i].overwrite |= !first;
	}
}

static int plan_disks(struct preseed *preseed, const struct session *session,
		      struct err *err)
{
	size_t count = session->nr_disks;
	int r = 0;

	preseed->name = strdup(session->domain->name);
	preseed->uuid = strdup(session->uuid);
	preseed->report->domain = strdup(session->domain->name);
	preseed->report->uri = strdup(preseed->request->uri);
	preseed->disks = calloc(count, sizeof(*preseed->disks));
	preseed->moved = calloc(count, sizeof(*preseed->moved));
	preseed->report->disks = calloc(count, sizeof(struct preseed_disk));
	if (!preseed->name || !preseed->uuid || !preseed->report->domain ||
	    !preseed->report->uri || !preseed->disks || !preseed->moved ||
	    !preseed->report->disks)
		return fail(err, -ENOMEM, "out of memory");
	for (size_t i = 0; i < count && r == 0; i++)
		r = plan_disk(preseed, session, i, err);
	if (r == 0)
		look_back(preseed, session);
	return r;
}

static int check_state(const struct preseed *preseed,
		       const struct session *session, struct err *err)
{
	const char *name = session->domain->name;

	if (session->state.saved)
		return fail(
			err, -EOPNOTSUPP,
			"%s: is saved: what is in its memory would stay "
			"behind; start it, or 'virsh managedsave-remove' it",
			name);
	if (!session->state.persistent)
		return fail(err, -EOPNOTSUPP,
			    "%s: is transient: it has no definition to move",
			    name);
	if (!session->state.active && preseed->request->end == PRESEED_MIGRATE)
		return fail(err, -EAGAIN,
			    "%s: does not run; --offline moves it", name);
	if (session->state.active && !session_is_tracked(session))
		return fail(err, -EOPNOTSUPP,
			    "%s: runs untracked, so its changes are not known; "
			    "start it anew with the module dm-dsync",
			    name);
	return 0;
}

int preseed_plan(struct preseed *preseed, struct err *err)
{
	const struct turn_wait wait = {.wait_s = WAIT_S,
				       .target = preseed->request->uri,
				       .cancelled = preseed->cancelled,
				       .ui = preseed->ui};
	_cleanup_session_ struct session *session = NULL;
	_cleanup_free_ char *xml = NULL;
	int r = session_open(preseed->request->connect,
			     preseed->request->domain, &wait, &session, err);

	if (r == 0)
		r = check_state(preseed, session, err);
	if (r == 0)
		r = check_whole(session->domain, err);
	if (r == 0)
		r = check_places(preseed->request, session->domain, err);
	if (r == 0)
		r = plan_disks(preseed, session, err);
	if (r == 0)
		r = vm_dom_xml(session->dom, VM_XML_NOW, &xml, err);
	if (r < 0)
		return r;
	return check_there(preseed, xml, err);
}

void preseed_plan_clear(struct preseed *preseed)
{
	for (size_t i = 0; i < preseed->nr_disks; i++)
		free((char *)preseed->disks[i].name);
	free(preseed->disks);
	free(preseed->moved);
	free(preseed->name);
	free(preseed->uuid);
}

char *preseed_make_xml(void *opaque, const char *xml, struct err *err)
{
	const struct preseed *preseed = opaque;
	_cleanup_vm_domain_ struct vm_domain *domain = NULL;
	_cleanup_free_ char *whole = strdup(xml);
	char *moved = NULL;
	int r = whole ? vm_record_recover(&whole, err)
		      : fail(err, -ENOMEM, "out of memory");

	if (r == 0)
		r = vm_domain_parse(whole, &domain, err);
	/* The passes took their time: it may have got another disk. */
	if (r == 0)
		r = check_whole(domain, err);
	if (r == 0)
		r = vm_xml_moved(whole, preseed->moved, preseed->nr_disks,
				 &moved, err);
	return r < 0 ? NULL : moved;
}
