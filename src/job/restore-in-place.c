/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * In place, only what differs is written, and through the disk's tracker, so
 * that the next backup knows of it:
 *
 *	the domain is stopped, and cannot be started     use_claim()
 *	every disk is opened for writing                 nobody else has it
 *	every disk is read and compared with the sums    nothing is written yet
 *	its disks are marked as half restored            durable
 *	what differs is shipped from the point's images  flushed
 *	the UEFI variables
 *	the marks are removed                            it may be started
 *
 * The claim ends with us, however that is; the marks stay.  Who runs the same
 * restore again compares again, and so finishes it.
 *
 * The disks are opened before they are compared because the server of a run
 * that was killed may not have ended yet: it has the image lock until it has.
 */
#include "job/restore-in-place.h"

#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>

#include "base/bitmap.h"
#include "base/err.h"
#include "base/io.h"
#include "dm/handover.h"
#include "dm/restoring.h"
#include "dm/use.h"
#include "job/comparison.h"
#include "job/interrupt.h"
#include "job/restore-parts.h"
#include "job/restore-ship.h"
#include "job/session.h"
#include "job/ui.h"
#include "repo/image.h"
#include "repo/manifest.h"
#include "repo/repo.h"
#include "repo/sum.h"
#include "ship/server.h"

/* One of the report's disks. */
struct work {
	char *device; /* in front of it */
	struct ship_server *server;
	struct ship_dest *dest;
	struct comparison *comparison;
};

/* ---------------------------------------------------------------- the domain */

static int check_stopped(const char *name, const struct vm_dom_state *state,
			 struct err *err)
{
	if (state->active)
		return fail(err, -EBUSY,
			    "%s: %s; shut it down first, or restore beside it, "
			    "with --to or --disk DISK=PATH",
			    name, state->running ? "is running" : "is paused");
	if (state->saved)
		return fail(err, -EOPNOTSUPP,
			    "%s: it has a managed save image, whose memory "
			    "belongs to the disks as they are; start it and "
			    "shut it down, or drop the image with 'virsh "
			    "managedsave-remove'",
			    name);
	return 0;
}

/* By the name that was given, or, if it was renamed since, by its uuid. */
static int find_domain(struct vm_host *host, const struct restore *restore,
		       struct vm_dom **ret_dom, struct err *err)
{
	const char *name = restore->request->domain;
	int r = vm_dom_find(host, name, ret_dom, err);

	if (r != -ENOENT)
		return r;
	err_clear(err);
	r = vm_dom_find(host, restore->manifest->domain_uuid, ret_dom, err);
	if (r != -ENOENT)
		return r;
	err_clear(err);
	return fail(err, r,
		    "%s: no such domain here; --define makes a new one of it",
		    name);
}

static int check_domain(const struct restore *restore, struct err *err)
{
	_cleanup_vm_host_ struct vm_host *host = NULL;
	_cleanup_vm_dom_ struct vm_dom *dom = NULL;
	const char *uuid = restore->manifest->domain_uuid;
	struct vm_dom_state state;
	int r = vm_host_open(restore->request->connect, &host, err);

	if (r == 0)
		r = find_domain(host, restore, &dom, err);
	if (r < 0)
		return r;
	if (strcmp(vm_dom_uuid(dom), uuid) != 0)
		return fail(err, -ESTALE,
			    "%s: is another domain than the one of that point "
			    "(%s, not %s); restore it beside, with --to or "
			    "--define",
			    vm_dom_name(dom), vm_dom_uuid(dom), uuid);
	r = vm_dom_state(dom, &state, err);
	return r < 0 ? r : check_stopped(vm_dom_name(dom), &state, err);
}

/* From here on the hook lets nobody start it. */
static int claim(struct session *session, struct err *err)
{
	_cleanup_close_ int lock =
		use_lock(session->uuid, USE_LOCK_WAIT_MS, err);
	int r = lock < 0 ? lock
			 : use_claim(session->uuid, session->user_fd, err);

	if (r == -EBUSY)
		err_prefix(err, "%s", session->domain->name);
	if (r == 0)
		r = vm_dom_state(session->dom, &session->state, err);
	return r < 0 ? r
		     : check_stopped(session->domain->name, &session->state,
				     err);
}

int restore_in_place_begin(struct restore *restore, struct err *err)
{
	int r = check_domain(restore, err);

	if (r == 0)
		r = session_open(restore->request->connect,
				 restore->manifest->domain_uuid, NULL,
				 &restore->session, err);
	return r < 0 ? r : claim(restore->session, err);
}

static const struct session_disk *find_disk(const struct restore *restore,
					    const char *target)
{
	const struct session *session = restore->session;

	for (size_t i = 0; i < session->nr_disks; i++)
		if (strcmp(session->disks[i].disk->target, target) == 0)
			return &session->disks[i];
	return NULL;
}

static int check_size(const struct restore *restore,
		      const struct session_disk *disk, struct err *err)
{
	uint64_t size_bytes =
		manifest_find_disk(restore->manifest, disk->disk->target)
			->size_bytes;

	if (disk->size_bytes == size_bytes)
		return 0;
	return fail(err, -ENOSPC,
		    "%s: %s has %" PRIu64 " bytes, and had %" PRIu64
		    " at that point; give it that size, or restore it beside, "
		    "with --disk %s=PATH",
		    restore->session->domain->name, disk->disk->target,
		    disk->size_bytes, size_bytes, disk->disk->target);
}

char *restore_in_place_path(const struct restore *restore, const char *target,
			    struct err *err)
{
	const struct session_disk *disk = find_disk(restore, target);
	char *path;

	if (!disk) {
		fail(err, -ENOENT,
		     "%s: has no disk %s that is attached; choose others with "
		     "--disk, or restore it beside, with --disk %s=PATH",
		     restore->session->domain->name, target, target);
		return NULL;
	}
	if (check_size(restore, disk, err) < 0)
		return NULL;
	path = strdup(disk->disk->original_path);
	if (!path)
		fail(err, -ENOMEM, "out of memory");
	return path;
}

/* ----------------------------------------------------------------- the disks */

static int open_disk(const struct restore *restore, size_t i, struct work *work,
		     struct err *err)
{
	struct restore_disk *disk = &restore->report->disks[i];
	const struct session_disk *own = find_disk(restore, disk->target);
	struct stat st;
	int r;

	disk->device = stat(disk->path, &st) == 0 && S_ISBLK(st.st_mode);
	work->device = io_format(PLACE_MAPPER "%s", own->disk->name);
	if (!work->device)
		return fail(err, -ENOMEM, "out of memory");
	r = ship_server_start(&(struct ship_image){.path = work->device,
						   .format = "raw"},
			      &work->server, err);
	if (r == 0)
		r = ship_server_open_dest(work->server, interrupt_catch(),
					  &work->dest, err);
	if (r == 0)
		r = comparison_new(restore->from.id, disk->size_bytes,
				   &work->comparison, err);
	return r;
}

static int compare_disk(struct restore *restore, size_t i, struct work *work,
			struct err *err)
{
	struct restore_disk *disk = &restore->report->disks[i];
	_cleanup_reading_image_ struct reading_image image;
	uint64_t began_ms = ui_now_ms();
	int r = reading_image_open(&restore->from, restore->manifest,
				   disk->target, disk->size_bytes,
				   interrupt_catch(), &image, err);

	if (r < 0)
		return r;
	ui_progress_start(restore->ui, disk->target);
	r = comparison_run(work->comparison, image.known, work->device,
			   restore->ui, err);
	ui_progress_end(restore->ui);
	disk->spent_ms = ui_now_ms() - began_ms;
	disk->differing_bytes = bitmap_count(comparison_map(work->comparison)) *
				SUM_BLOCK_BYTES;
	if (reading_image_problem(&image))
		ui_note(restore->ui,
			"%s; what it was about is written without need",
			reading_image_problem(&image));
	return r;
}

static int ship_disk(struct restore *restore, size_t i, struct work *work,
		     struct err *err)
{
	struct restore_disk *disk = &restore->report->disks[i];
	uint64_t began_ms = ui_now_ms(), damaged;
	int r;

	ui_progress_start(restore->ui, disk->target);
	r = restore_ship_marked(&restore->from, restore->manifest, work->dest,
				work->comparison, disk, restore->ui, err);
	ui_progress_end(restore->ui);
	ship_dest_close(TAKE_PTR(work->dest));
	if (r == 0)
		r = ship_server_stop(TAKE_PTR(work->server), err);
	disk->spent_ms += ui_now_ms() - began_ms;
	damaged = comparison_damaged(work->comparison);
	if (damaged)
		ui_warn(restore->ui,
			"%s: %" PRIu64 " blocks that were written are not what "
			"was backed up; 'dsync-vm verify' tells which",
			disk->target, damaged);
	restore->report->warned |= damaged > 0;
	return r;
}

/* ---------------------------------------------------------------- the marks */

/* What finishes it. */
static char *command(const struct restore *restore)
{
	const struct restore_request *request = restore->request;
	char *line = io_format("dsync-vm restore %s %s %s --in-place",
			       request->domain, restore->from.location,
			       restore->manifest->point);

	for (size_t i = 0; line && i < request->nr_picks; i++) {
		_cleanup_free_ char *shorter = line;

		line = io_format("%s --disk %s", shorter,
				 request->picks[i].target);
	}
	return line;
}

static int mark(const struct restore *restore, struct err *err)
{
	_cleanup_free_ char *line = command(restore);
	int r = line ? handover_spoil(restore->session->state_dir, err)
		     : fail(err, -ENOMEM, "out of memory");

	for (size_t i = 0; r == 0 && i < restore->report->nr_disks; i++)
		r = restoring_begin(restore->session->state_dir,
				    restore->report->disks[i].target, line,
				    err);
	return r;
}

static int unmark(const struct restore *restore, struct err *err)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < restore->report->nr_disks; i++)
		r = restoring_end(restore->session->state_dir,
				  restore->report->disks[i].target, err);
	return r;
}

static void say_half_restored(const struct restore *restore)
{
	ui_warn(restore->ui,
		"%s: half restored: its disks are neither what they were nor "
		"what they were to be, and it cannot be started; run the same "
		"again to finish",
		restore->session->domain->name);
}

/* ------------------------------------------------------------------ the whole */

/* Its owner is libvirt's choice, and stays. */
static int write_nvram(struct restore *restore, struct err *err)
{
	const struct manifest *manifest = restore->manifest;
	const char *path = restore->session->domain->nvram;
	struct stat st;
	int r;

	if (restore->request->nr_picks || !manifest->nvram)
		return 0;
	if (!path) {
		ui_warn(restore->ui,
			"the UEFI variables are not restored: the domain has "
			"none now");
		restore->report->warned = true;
		return 0;
	}
	if (stat(path, &st) < 0)
		st = (struct stat){.st_mode = 0600};
	r = io_replace_file(path, manifest->nvram, manifest->nvram_bytes,
			    st.st_mode & 07777, err);
	if (r == 0 && chown(path, st.st_uid, st.st_gid) < 0)
		r = fail_errno(err, -errno, "%s", path);
	restore->report->nvram = strdup(path);
	return r;
}

static int write_all(struct restore *restore, struct work *works,
		     struct err *err)
{
	size_t nr_disks = restore->report->nr_disks;
	int r = mark(restore, err);

	for (size_t i = 0; r == 0 && i < nr_disks; i++)
		r = ship_disk(restore, i, &works[i], err);
	if (r == 0)
		r = write_nvram(restore, err);
	if (r == 0)
		r = unmark(restore, err);
	if (r < 0)
		say_half_restored(restore);
	return r;
}

/* Without our hook nobody was kept from it. */
static int check_still_stopped(struct restore *restore, struct err *err)
{
	struct session *session = restore->session;
	int r = vm_dom_state(session->dom, &session->state, err);

	if (r == 0 && session->state.active)
		r = fail(err, -EBUSY,
			 "%s: was started while its disks were restored; is "
			 "the hook installed, and libvirtd restarted since?",
			 session->domain->name);
	return r;
}

static void say_others(struct restore *restore)
{
	const struct session *session = restore->session;

	for (size_t i = 0; i < session->nr_disks && !restore->request->nr_picks;
	     i++) {
		const char *target = session->disks[i].disk->target;

		if (manifest_find_disk(restore->manifest, target))
			continue;
		restore->report->warned = true;
		ui_warn(restore->ui,
			"the disk %s is not in this point, and stays as it is",
			target);
	}
}

int restore_in_place(struct restore *restore, struct err *err)
{
	size_t nr_disks = restore->report->nr_disks;
	_cleanup_free_ struct work *works =
		calloc(nr_disks + 1, sizeof(*works));
	int r = works ? 0 : fail(err, -ENOMEM, "out of memory");

	say_others(restore);
	for (size_t i = 0; r == 0 && i < nr_disks; i++)
		r = open_disk(restore, i, &works[i], err);
	for (size_t i = 0; r == 0 && i < nr_disks; i++)
		r = compare_disk(restore, i, &works[i], err);
	if (r == 0)
		r = write_all(restore, works, err);
	for (size_t i = 0; works && i < nr_disks; i++) {
		ship_dest_close(works[i].dest);
		ship_server_kill(works[i].server);
		comparison_free(works[i].comparison);
		free(works[i].device);
	}
	return r < 0 ? r : check_still_stopped(restore, err);
}
