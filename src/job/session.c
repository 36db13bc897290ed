/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The order matters: the turn first, so that nobody else suspends or
 * opens epochs, and since the domain may change while it is waited for; then
 * the devices; then the repair of what a killed run left,
 * which needs both.
 */
#include "job/session.h"

#include <string.h>

#include "base/err.h"
#include "base/io.h"
#include "dm/device.h"
#include "dm/handover.h"
#include "dm/hold.h"
#include "dm/use.h"
#include "job/turn.h"

/* What the next start will take may be attached already. */
static bool attached_at_next_start(struct session *session)
{
	_cleanup_vm_domain_ struct vm_domain *next = NULL;

	return session->state.active &&
	       vm_dom_read(session->host, session->dom, VM_XML_NEXT, &next,
			   NULL) == 0 &&
	       next->nr_tracked;
}

static int refuse_no_disks(struct session *session, struct err *err)
{
	const struct vm_domain *domain = session->domain;
	const char *reason = "it has no disks";

	if (attached_at_next_start(session))
		return fail(err, -ENOENT,
			    "%s: is attached, which takes effect at its next "
			    "start: shut it down and start it again",
			    domain->name);
	for (size_t i = 0; i < domain->nr_disks; i++) {
		if (!domain->disks[i].reason)
			return fail(err, -ENOENT,
				    "%s: its disks are not attached; run "
				    "'dsync-vm attach %s' first",
				    domain->name, domain->name);
		reason = domain->disks[i].reason;
	}
	return fail(err, -EOPNOTSUPP, "%s: no disk that can be tracked: %s",
		    domain->name, reason);
}

static int check_disk(const struct vm_domain *domain,
		      const struct vm_disk *disk, struct err *err)
{
	if (disk->tracked && disk->block_job)
		return fail(err, -EBUSY,
			    "%s: a block job is running on %s; wait for it "
			    "('virsh blockjob')",
			    domain->name, disk->target);
	if (!disk->tracked && disk->original_type)
		return fail(err, -EIO,
			    "%s: %s was attached, but its source was changed "
			    "to %s since: run 'dsync-vm detach' and 'attach' "
			    "again",
			    domain->name, disk->target,
			    disk->path ? disk->path : "nothing");
	return 0;
}

static int choose_disks(struct session *session, struct err *err)
{
	const struct vm_domain *domain = session->domain;
	int r = 0;

	for (size_t i = 0; i < domain->nr_disks && r == 0; i++)
		r = check_disk(domain, &domain->disks[i], err);
	if (r < 0)
		return r;
	if (!domain->nr_tracked)
		return refuse_no_disks(session, err);
	session->disks = calloc(domain->nr_tracked, sizeof(*session->disks));
	session->stacks = calloc(domain->nr_tracked, sizeof(*session->stacks));
	if (!session->disks || !session->stacks)
		return fail(err, -ENOMEM, "out of memory");
	for (size_t i = 0; i < domain->nr_disks && r == 0; i++) {
		const struct vm_disk *disk = &domain->disks[i];
		struct stack_disk *stack = &session->stacks[session->nr_disks];

		if (!disk->tracked)
			continue;
		memcpy(stack->name, disk->name, sizeof(stack->name));
		stack->path = disk->original_path;
		stack->domain_name = domain->name;
		stack->domain_uuid = domain->uuid;
		stack->target = disk->target;
		r = disk_uuid(stack->uuid, domain->uuid, disk->target, err);
		session->disks[session->nr_disks++].disk = disk;
	}
	return r;
}

/* Its disks here are what it left behind, if it was handed over. */
static int check_here(const struct session *session, struct err *err)
{
	int r = handover_check(session->state_dir, err);

	if (r < 0)
		err_prefix(err, "%s", session->domain->name);
	return r;
}

static int bring_up(struct session *session, struct err *err)
{
	_cleanup_close_ int lock =
		use_lock(session->uuid, USE_LOCK_WAIT_MS, err);
	int r;

	if (lock < 0)
		return lock;
	session->reports = calloc(session->nr_disks, sizeof(*session->reports));
	if (!session->reports)
		return fail(err, -ENOMEM, "out of memory");
	r = stack_build_all(session->stacks, session->nr_disks,
			    session->reports, err);
	if (r < 0)
		return r;
	session->user_fd = use_join(session->uuid, err);
	return session->user_fd < 0 ? session->user_fd : 0;
}

/* A run that was killed may have left a disk suspended, an epoch open, a hold. */
static int repair(struct session *session, struct err *err)
{
	for (size_t i = 0; i < session->nr_disks; i++) {
		const char *name = session->stacks[i].name;
		struct tracker_status status;
		struct device_info info;
		int r = device_info(name, &info, err);

		if (r == 0 && info.suspended)
			r = device_resume(name, err);
		if (r == 0)
			r = tracker_status(name, &status, err);
		if (r == 0 && status.open[0])
			r = tracker_epoch_abort(name, status.open, err);
		if (r == 0)
			r = hold_remove(name, session->stacks[i].uuid, err);
		if (r < 0)
			return r;
	}
	return 0;
}

int session_refresh(struct session *session, struct err *err)
{
	for (size_t i = 0; i < session->nr_disks; i++) {
		struct session_disk *disk = &session->disks[i];
		int r = tracker_status(session->stacks[i].name, &disk->tracker,
				       err);

		if (r < 0)
			return r;
		disk->size_bytes = disk->tracker.size_sectors * 512;
	}
	return 0;
}

bool session_is_tracked(const struct session *session)
{
	for (size_t i = 0; i < session->nr_disks; i++)
		if (session->disks[i].tracker.state == TRACKER_UNTRACKED)
			return false;
	return true;
}

struct pending_disk session_pending_disk(const struct session *session,
					 size_t i)
{
	const struct session_disk *disk = &session->disks[i];

	return (struct pending_disk){
		.state_dir = session->state_dir,
		.domain_uuid = session->uuid,
		.disk = disk->disk->target,
		.size_bytes = disk->size_bytes,
		.block_bytes = disk->tracker.block_sectors * 512,
		.tracker = disk->tracker.uuid,
	};
}

static void forget_domain(struct session *session)
{
	free(TAKE_PTR(session->state_dir));
	vm_dom_free(TAKE_PTR(session->dom));
	vm_host_close(TAKE_PTR(session->host));
}

static int find_domain(struct session *session, const char *name,
		       struct err *err)
{
	int r = vm_host_open(session->connect, &session->host, err);

	if (r == 0)
		r = vm_dom_find(session->host, name, &session->dom, err);
	if (r < 0)
		return r;
	session->uuid = vm_dom_uuid(session->dom);
	session->state_dir = io_format(PLACE_STATE "/%s", session->uuid);
	if (!session->state_dir)
		return fail(err, -ENOMEM, "out of memory");
	return 0;
}

/* A connection to libvirt is not kept while that may be restarted. */
static int await_turn(struct session *session, const char *name,
		      const struct turn_wait *wait, struct err *err)
{
	char uuid[UUID_SIZE];
	int r;

	snprintf(uuid, sizeof(uuid), "%s", session->uuid);
	forget_domain(session);
	session->turn_fd = turn_take(uuid, name, wait, err);
	r = session->turn_fd < 0 ? session->turn_fd
				 : find_domain(session, name, err);
	if (r == 0 && strcmp(uuid, session->uuid) != 0)
		r = fail(err, -EAGAIN,
			 "%s: became another domain while its turn was waited "
			 "for",
			 name);
	return r;
}

static int take_turn(struct session *session, const char *name,
		     const struct turn_wait *wait, struct err *err)
{
	struct turn_wait at_once = wait ? *wait : (struct turn_wait){0};
	struct err why = {0};

	at_once.wait_s = 0;
	session->turn_fd = turn_take(session->uuid, vm_dom_name(session->dom),
				     wait ? &at_once : NULL, &why);
	if (session->turn_fd == -EBUSY && wait && wait->wait_s)
		return await_turn(session, name, wait, err);
	return session->turn_fd < 0
		       ? fail(err, session->turn_fd, "%s", why.text)
		       : 0;
}

static int read_domain(struct session *session, struct err *err)
{
	int r = vm_dom_state(session->dom, &session->state, err);

	return r < 0 ? r
		     : vm_dom_read(session->host, session->dom, VM_XML_NOW,
				   &session->domain, err);
}

int session_open(const char *connect, const char *name,
		 const struct turn_wait *wait, struct session **ret_session,
		 struct err *err)
{
	_cleanup_session_ struct session *session = calloc(1, sizeof(*session));
	int r;

	if (!session)
		return fail(err, -ENOMEM, "out of memory");
	session->connect = connect;
	session->turn_fd = -1;
	session->user_fd = -1;
	r = find_domain(session, name, err);
	if (r == 0)
		r = take_turn(session, name, wait, err);
	if (r == 0)
		r = read_domain(session, err);
	if (r == 0)
		r = choose_disks(session, err);
	if (r == 0)
		r = check_here(session, err);
	if (r == 0)
		r = bring_up(session, err);
	if (r == 0)
		r = repair(session, err);
	if (r == 0)
		r = session_refresh(session, err);
	if (r == 0)
		*ret_session = TAKE_PTR(session);
	return r;
}

/* Nothing can be reported here; the next run finds and adopts what stays. */
static void leave_stacks(struct session *session)
{
	_cleanup_close_ int lock =
		use_lock(session->uuid, USE_LOCK_WAIT_MS, NULL);

	if (lock >= 0 && use_leave(session->uuid, session->user_fd, NULL) == 1)
		(void)stack_remove_domain(session->uuid, NULL);
}

void session_close(struct session *session)
{
	if (!session)
		return;
	if (session->user_fd >= 0) {
		leave_stacks(session);
		close(session->user_fd);
	}
	if (session->turn_fd >= 0)
		close(session->turn_fd);
	free(session->disks);
	free(session->stacks);
	free(session->reports);
	vm_domain_free(session->domain);
	forget_domain(session);
	free(session);
}
