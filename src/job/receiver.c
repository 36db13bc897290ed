/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What comes is written through the tracker, which counts it as changed; at the
 * cut with which tracking begins that is dropped, because every target's
 * pending set came along.
 */
#include "job/receiver.h"

#include <signal.h>
#include <string.h>
#include <time.h>

#include "base/bitmap.h"
#include "base/err.h"
#include "base/io.h"
#include "dm/device.h"
#include "dm/handover.h"
#include "dm/node-lock.h"
#include "dm/use.h"
#include "job/receiver-parts.h"
#include "job/ui.h"
#include "repo/point.h"
#include "ship/server.h"

/* ------------------------------------------------------------- the devices */

static void leave_stacks(struct receiver *receiver)
{
	_cleanup_close_ int lock =
		use_lock(receiver->uuid, USE_LOCK_WAIT_MS, NULL);

	if (lock >= 0 &&
	    use_leave(receiver->uuid, receiver->user_fd, NULL) == 1)
		(void)stack_remove_domain(receiver->uuid, NULL);
}

static void drop_guest_locks(struct receiver *receiver)
{
	for (size_t i = 0; i < receiver->nr_disks; i++) {
		struct receiver_place *disk = &receiver->disks[i];

		for (size_t j = 0; j < disk->nr_guest_fds; j++)
			close(disk->guest_fds[j]);
		free(TAKE_PTR(disk->guest_fds));
		disk->nr_guest_fds = 0;
	}
}

void receiver_close(struct receiver *receiver)
{
	if (!receiver)
		return;
	if (receiver->disks)
		drop_guest_locks(receiver);
	for (size_t i = 0; receiver->disks && i < receiver->nr_disks; i++) {
		struct receiver_place *disk = &receiver->disks[i];

		ship_server_kill(disk->server);
		if (disk->lock_fd >= 0)
			close(disk->lock_fd);
		bitmap_free(disk->frozen);
		free(disk->target);
		place_clear(&disk->place);
	}
	if (receiver->user_fd >= 0) {
		leave_stacks(receiver);
		close(receiver->user_fd);
	}
	if (receiver->incoming_fd >= 0)
		close(receiver->incoming_fd);
	free(receiver->disks);
	free(receiver->stacks);
	free(receiver->reports);
	free(receiver->state_dir);
	free(receiver->name);
	free(receiver);
}

static int check_host(struct err *err)
{
	if (geteuid() != 0)
		return fail(err, -EPERM,
			    "who brings a domain must be root there");
	if (!device_target_exists("dsync"))
		return fail(err, -EOPNOTSUPP,
			    "the module dm-dsync is missing; install it there");
	return 0;
}

/* As the domain's XML calls the device. */
static int take_name(struct stack_disk *stack, const char *name,
		     struct err *err)
{
	_cleanup_free_ char *path = io_format(PLACE_MAPPER "%s", name);
	const char *valid = path ? disk_name_of_path(path) : NULL;

	if (!path)
		return fail(err, -ENOMEM, "out of memory");
	if (!valid || strlen(valid) >= sizeof(stack->name))
		return fail(err, -EINVAL, "'%s': no name of a device of ours",
			    name);
	strcpy(stack->name, valid);
	return 0;
}

static int add_disk(struct receiver *receiver, const struct receiver_disk *from,
		    bool look_only, struct err *err)
{
	struct receiver_place *disk = &receiver->disks[receiver->nr_disks];
	struct stack_disk *stack = &receiver->stacks[receiver->nr_disks];
	int r;

	receiver->nr_disks++;
	disk->lock_fd = -1;
	if (!disk_target_valid(from->disk))
		return fail(err, -EINVAL, "'%s': no name of a disk",
			    from->disk);
	disk->target = strdup(from->disk);
	if (!disk->target)
		return fail(err, -ENOMEM, "out of memory");
	disk->size_bytes = from->size_bytes;
	r = take_name(stack, from->name, err);
	if (r == 0)
		r = look_only ? place_look(from->path, from->size_bytes,
					   from->create, from->overwrite,
					   &disk->place, err)
			      : place_open(from->path, from->size_bytes,
					   from->create, from->overwrite,
					   &disk->place, err);
	if (r == 0)
		r = disk_uuid(stack->uuid, receiver->uuid, disk->target, err);
	stack->path = disk->place.path;
	stack->domain_name = receiver->name;
	stack->domain_uuid = receiver->uuid;
	stack->target = disk->target;
	return r;
}

static int add_disks(struct receiver *receiver,
		     const struct receiver_domain *domain, struct err *err)
{
	size_t count = domain->nr_disks;
	int r = 0;

	receiver->disks = calloc(count, sizeof(*receiver->disks));
	receiver->stacks = calloc(count, sizeof(*receiver->stacks));
	receiver->reports = calloc(count, sizeof(*receiver->reports));
	if (!receiver->disks || !receiver->stacks || !receiver->reports)
		return fail(err, -ENOMEM, "out of memory");
	for (size_t i = 0; i < count && r == 0; i++)
		r = add_disk(receiver, &domain->disks[i], domain->look_only,
			     err);
	return r;
}

/* Alone: neither a VM nor a run, nor another one who brings it. */
static int claim(struct receiver *receiver, struct err *err)
{
	int r;

	receiver->user_fd = use_join(receiver->uuid, err);
	r = receiver->user_fd < 0
		    ? receiver->user_fd
		    : use_claim(receiver->uuid, receiver->user_fd, err);
	if (r == -EBUSY)
		err_prefix(err, "%s: runs or is brought there already",
			   receiver->name);
	return r;
}

static int check_tracked(const struct receiver *receiver, struct err *err)
{
	for (size_t i = 0; i < receiver->nr_disks; i++) {
		const struct stack_report *report = &receiver->reports[i];

		if (report->state != STACK_TRACKED)
			return fail(err, -EOPNOTSUPP, "%s: %s",
				    receiver->disks[i].target, report->note);
		if (report->note[0])
			ui_note(receiver->ui, "%s: %s",
				receiver->disks[i].target, report->note);
	}
	return 0;
}

/* What looked at the disks lets go of them: our devices take them now. */
static int bring_up(struct receiver *receiver, struct err *err)
{
	int r;

	for (size_t i = 0; i < receiver->nr_disks; i++)
		place_release(&receiver->disks[i].place);
	r = stack_build_all(receiver->stacks, receiver->nr_disks,
			    receiver->reports, err);
	return r < 0 ? r : check_tracked(receiver, err);
}

static int serve(struct receiver *receiver, size_t i, struct err *err)
{
	_cleanup_free_ char *path =
		io_format(PLACE_MAPPER "%s", receiver->stacks[i].name);
	const struct ship_image image = {
		.path = path, .format = "raw", .direct = true};

	return path ? ship_server_start(&image, &receiver->disks[i].server, err)
		    : fail(err, -ENOMEM, "out of memory");
}

/*
 * Where it was before, its disks are what it would be started from, should the
 * other host be lost: no more, from the first block that comes.
 */
static int mark_incomplete(const struct receiver *receiver, struct err *err)
{
	_cleanup_handover_ struct handover handover = {0};
	int r = handover_read(receiver->state_dir, &handover, err);

	if (r < 0)
		return r;
	if (!handover.uri && !handover_is_arriving(receiver->state_dir))
		return 0;
	return handover_arrive(receiver->state_dir, NULL, err);
}

static int take_disks(struct receiver *receiver,
		      const struct receiver_domain *domain, struct err *err)
{
	_cleanup_close_ int lock =
		use_lock(receiver->uuid, USE_LOCK_WAIT_MS, err);
	int r = lock < 0 ? lock : claim(receiver, err);

	if (r == 0)
		r = stack_remove_domain(receiver->uuid, err);
	if (r == 0)
		r = add_disks(receiver, domain, err);
	if (r < 0 || domain->look_only)
		return r;
	r = bring_up(receiver, err);
	receiver->filled = handover_is_filled(receiver->state_dir);
	if (r == 0)
		r = handover_fill(receiver->state_dir, err);
	if (r == 0)
		r = mark_incomplete(receiver, err);
	for (size_t i = 0; i < receiver->nr_disks && r == 0; i++)
		r = serve(receiver, i, err);
	return r;
}

int receiver_open(const struct receiver_domain *domain,
		  struct receiver **ret_receiver, struct ui *ui,
		  struct err *err)
{
	_cleanup_receiver_ struct receiver *receiver =
		calloc(1, sizeof(*receiver));
	int r;

	if (!receiver)
		return fail(err, -ENOMEM, "out of memory");
	receiver->user_fd = receiver->incoming_fd = -1;
	receiver->ui = ui;
	receiver->look_only = domain->look_only;
	r = check_host(err);
	if (r < 0)
		return r;
	snprintf(receiver->uuid, UUID_SIZE, "%s", domain->uuid);
	receiver->name = strdup(domain->name);
	receiver->state_dir = io_format(PLACE_STATE "/%s", domain->uuid);
	if (!receiver->name || !receiver->state_dir)
		return fail(err, -ENOMEM, "out of memory");
	r = io_make_dirs(receiver->state_dir, err);
	if (r == 0)
		r = take_disks(receiver, domain, err);
	if (r == 0)
		*ret_receiver = TAKE_PTR(receiver);
	return r;
}

bool receiver_domain_runs(const struct receiver_domain *domain)
{
	return use_is_running(domain->uuid);
}

bool receiver_has_created(const struct receiver *receiver, size_t i)
{
	return receiver->disks[i].place.created;
}

bool receiver_is_trusted(const struct receiver *receiver, size_t i)
{
	return receiver->filled && receiver->reports[i].trusted;
}

bool receiver_is_block(const struct receiver *receiver, size_t i)
{
	return receiver->disks[i].place.block;
}

struct ship_server *receiver_server(const struct receiver *receiver, size_t i)
{
	return receiver->disks[i].server;
}

/* ------------------------------------------------------------ the handover */

static int let_in(struct receiver *receiver, struct err *err)
{
	_cleanup_close_ int lock =
		use_lock(receiver->uuid, USE_LOCK_WAIT_MS, err);

	if (lock < 0)
		return lock;
	/* Not to be told before all is here: see hear_of_release(). */
	signal(HANDOVER_SIGNAL, SIG_IGN);
	receiver->incoming_fd = handover_let_in(receiver->uuid, err);
	if (receiver->incoming_fd < 0)
		return receiver->incoming_fd;
	return use_unclaim(receiver->uuid, receiver->user_fd, err);
}

int receiver_arm(struct receiver *receiver, bool live, struct err *err)
{
	int r;

	if (receiver->look_only || receiver->armed)
		return fail(err, -EPROTO, "out of turn");
	r = handover_arrive(receiver->state_dir, NULL, err);
	if (r == 0 && live)
		r = let_in(receiver, err);
	receiver->armed = r == 0;
	return r;
}

int receiver_hold(struct receiver *receiver, struct err *err)
{
	int r = 0;

	if (receiver->incoming_fd < 0 || receiver->finished)
		return fail(err, -EPROTO, "out of turn");
	drop_guest_locks(receiver);
	for (size_t i = 0; i < receiver->nr_disks && r == 0; i++) {
		struct receiver_place *disk = &receiver->disks[i];

		r = node_lock_all(receiver->stacks[i].name, &disk->guest_fds,
				  &disk->nr_guest_fds, err);
	}
	return r;
}

int receiver_release(struct receiver *receiver, struct err *err)
{
	int r;

	if (!receiver->finished)
		return fail(err, -EPROTO, "out of turn");
	r = handover_end(receiver->state_dir, err);
	if (r == 0)
		r = handover_arrived(receiver->state_dir, err);
	if (r < 0)
		return r;
	receiver->released = true;
	drop_guest_locks(receiver);
	for (size_t i = 0; i < receiver->nr_disks; i++) {
		struct receiver_place *disk = &receiver->disks[i];

		if (disk->lock_fd >= 0)
			close(TAKE_FD(disk->lock_fd));
	}
	return 0;
}

/*
 * libvirt ends a QEMU that came in and whose migration was not finished, as
 * soon as it has lost the client; then its release is here.  One that was
 * finished is let go by who knows that it is nowhere else.  Whoever ends this
 * process otherwise, as a shutdown does, leaves the mark: it is not started.
 */
bool receiver_is_needed(const struct receiver *receiver)
{
	return receiver->armed && !receiver->released &&
	       use_is_running(receiver->uuid);
}

void receiver_linger(struct receiver *receiver)
{
	const struct timespec pause = {.tv_sec = 1};
	sigset_t told;

	sigemptyset(&told);
	sigaddset(&told, HANDOVER_SIGNAL);
	while (receiver_is_needed(receiver))
		if (receiver->finished &&
		    sigtimedwait(&told, NULL, &pause) == HANDOVER_SIGNAL)
			(void)receiver_release(receiver, NULL);
		else if (!receiver->finished)
			nanosleep(&pause, NULL);
}
