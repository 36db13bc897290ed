/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Everything is checked before anything is written:
 *
 *	find the point, check every image it is read through
 *	claim every destination
 *	ship disk after disk
 *	give the files their names, write the UEFI variables, define
 */
#include "job/restore.h"

#include <string.h>

#include "base/io.h"
#include "job/interrupt.h"
#include "job/restore-define.h"
#include "job/restore-dest.h"
#include "job/restore-in-place.h"
#include "job/restore-owner.h"
#include "job/restore-parts.h"
#include "job/restore-ship.h"
#include "job/session.h"
#include "job/ui.h"
#include "repo/domain.h"
#include "repo/manifest.h"

void restore_report_free(struct restore_report *report)
{
	for (size_t i = 0; i < report->nr_disks; i++) {
		free(report->disks[i].target);
		free(report->disks[i].path);
	}
	free(report->disks);
	free(report->domain);
	free(report->nvram);
	*report = (struct restore_report){0};
}

/* ----------------------------------------------------- what is restored */

static int unknown_point(const struct restore *restore, struct err *err)
{
	const struct restore_request *request = restore->request;

	return fail(err, -ENOENT,
		    "%s has no point %s of %s; 'dsync-vm list %s %s' shows "
		    "which it has",
		    restore->from.location, request->point, request->domain,
		    request->domain, request->repository);
}

static int find_point(struct restore *restore, struct err *err)
{
	const struct restore_request *request = restore->request;
	struct err why = {0};
	int r = reading_open(&restore->from, request->repository,
			     request->domain, interrupt_catch(), restore->ui,
			     err);

	if (r < 0)
		return r;
	restore->report->warned = restore->ui->nr_warnings > 0;
	r = reading_find(&restore->from, request->point, &restore->manifest,
			 &why);
	if (r == -ENOENT)
		return unknown_point(restore, err);
	return r < 0 ? fail(err, r, "%s", why.text) : 0;
}

/* Where it goes, in a new string. */
static char *disk_path(const struct restore *restore, const char *target,
		       const char *path, struct err *err)
{
	const struct restore_request *request = restore->request;
	_cleanup_free_ char *name = NULL;
	char *place;

	if (request->in_place)
		return restore_in_place_path(restore, target, err);
	if (!path && !request->to_dir) {
		fail(err, -EINVAL,
		     "where to restore the disk %s to? Give --to DIR or "
		     "--disk %s=PATH",
		     target, target);
		return NULL;
	}
	name = domain_name_encode(restore->manifest->domain_name, err);
	if (!name)
		return NULL;
	place = path ? strdup(path)
		     : io_format("%s/%s-%s.%s", request->to_dir, name, target,
				 request->format);
	if (!place)
		fail(err, -ENOMEM, "out of memory");
	return place;
}

static int choose_disk(struct restore *restore, const char *target,
		       const char *path, struct err *err)
{
	const struct manifest *manifest = restore->manifest;
	struct restore_report *report = restore->report;
	const struct manifest_disk *disk = manifest_find_disk(manifest, target);
	struct restore_disk *chosen = &report->disks[report->nr_disks];

	if (!disk)
		return fail(err, -ENOENT, "the point %s has no disk %s",
			    manifest->point, target);
	chosen->size_bytes = disk->size_bytes;
	chosen->target = strdup(target);
	chosen->format = restore->request->format;
	chosen->path = disk_path(restore, target, path, err);
	report->nr_disks++;
	if (!chosen->path)
		return err->code;
	if (!chosen->target)
		return fail(err, -ENOMEM, "out of memory");
	return reading_check(&restore->from, manifest, target, err);
}

/* A disk that the point does not have is worth a warning if all are wanted. */
static int choose_all(struct restore *restore, struct err *err)
{
	const struct manifest *manifest = restore->manifest;
	int r = 0;

	for (size_t i = 0; r == 0 && i < manifest->nr_disks; i++)
		r = choose_disk(restore, manifest->disks[i].target, NULL, err);
	for (size_t i = 0; r == 0 && i < manifest->nr_left_out; i++) {
		restore->report->warned = true;
		ui_warn(restore->ui, "the disk %s is not in this point: %s",
			manifest->left_out[i].target,
			manifest->left_out[i].reason);
	}
	return r;
}

static int choose_disks(struct restore *restore, struct err *err)
{
	const struct restore_request *request = restore->request;
	struct restore_report *report = restore->report;
	size_t room = request->nr_picks + restore->manifest->nr_disks;
	int r = 0;

	report->disks = calloc(room + 1, sizeof(*report->disks));
	restore->dests = calloc(room + 1, sizeof(struct restore_dest *));
	report->domain = strdup(restore->manifest->domain_name);
	if (!report->disks || !restore->dests || !report->domain)
		return fail(err, -ENOMEM, "out of memory");
	memcpy(report->point, restore->manifest->point, POINT_SIZE);
	report->consistency = restore->manifest->consistency;
	if (request->nr_picks == 0)
		return choose_all(restore, err);
	for (size_t i = 0; r == 0 && i < request->nr_picks; i++)
		r = choose_disk(restore, request->picks[i].target,
				request->picks[i].path, err);
	return r;
}

static int claim_destinations(struct restore *restore, struct err *err)
{
	struct restore_report *report = restore->report;

	for (size_t i = 0; i < report->nr_disks; i++) {
		struct restore_disk *disk = &report->disks[i];
		const struct restore_place place = {
			.path = disk->path,
			.format = disk->format,
			.size_bytes = disk->size_bytes,
			.force = restore->request->force,
		};
		struct restore_dest *dest;
		int r = restore_dest_open(&place, &dest, err);
		char *path;

		if (r < 0)
			return r;
		restore->dests[i] = dest;
		disk->device = !dest->partial;
		path = strdup(dest->path);
		if (!path)
			return fail(err, -ENOMEM, "out of memory");
		free(disk->path);
		disk->path = path;
	}
	return 0;
}

static int ship_disk(struct restore *restore, size_t i, struct err *err)
{
	struct restore_disk *disk = &restore->report->disks[i];
	uint64_t started_ms = ui_now_ms();
	int r;

	ui_progress_start(restore->ui, disk->target);
	r = restore_ship(&restore->from, restore->manifest, restore->dests[i],
			 disk, restore->ui, err);
	ui_progress_end(restore->ui);
	disk->spent_ms = ui_now_ms() - started_ms;
	if (r < 0 && disk->device)
		ui_warn(restore->ui,
			"%s: incomplete, it holds neither its old content nor "
			"the disk's",
			disk->path);
	if (r < 0)
		err_prefix(err, "disk %s", disk->target);
	return r;
}

/* ---------------------------------------------------------------- the end */

static int write_nvram(struct restore *restore, struct err *err)
{
	const struct restore_request *request = restore->request;
	const struct manifest *manifest = restore->manifest;
	_cleanup_free_ char *name =
		domain_name_encode(manifest->domain_name, err);
	_cleanup_free_ char *directory = NULL, *path = NULL;
	int r;

	if (!name)
		return err->code;
	directory = realpath(request->to_dir, NULL);
	if (!directory)
		return fail_errno(err, -errno, "%s", request->to_dir);
	path = io_format("%s/%s-nvram.fd", directory, name);
	if (!path)
		return fail(err, -ENOMEM, "out of memory");
	if (!request->force && access(path, F_OK) == 0)
		return fail(err, -EEXIST, "%s exists; --force replaces it",
			    path);
	r = io_replace_file(path, manifest->nvram, manifest->nvram_bytes, 0600,
			    err);
	if (r == 0)
		restore->report->nvram = TAKE_PTR(path);
	return r;
}

/* Of a whole domain, or of one that is to be defined. */
static int restore_nvram(struct restore *restore, struct err *err)
{
	const struct restore_request *request = restore->request;

	if (!restore->manifest->nvram ||
	    (request->nr_picks && !request->define))
		return 0;
	if (request->to_dir)
		return write_nvram(restore, err);
	restore->report->warned = true;
	ui_warn(restore->ui,
		"the UEFI variables are not restored: give --to DIR");
	return 0;
}

static int commit(struct restore *restore, struct err *err)
{
	const struct restore_request *request = restore->request;
	int r = restore_nvram(restore, err);

	for (size_t i = 0; r == 0 && i < restore->report->nr_disks; i++)
		r = restore_dest_commit(restore->dests[i], err);
	if (r == 0 && request->define)
		r = restore_define(request, restore->manifest, restore->report,
				   err);
	return r;
}

static int restore_all(struct restore *restore, struct err *err)
{
	const struct restore_request *request = restore->request;
	int r = find_point(restore, err);

	if (r == 0 && request->define)
		r = restore_define_check(request, err);
	if (r == 0 && request->in_place)
		r = restore_in_place_begin(restore, err);
	if (r == 0)
		r = choose_disks(restore, err);
	if (request->in_place)
		return r < 0 ? r : restore_in_place(restore, err);
	if (r == 0)
		r = claim_destinations(restore, err);
	if (r == 0)
		r = restore_check_owners(request->connect,
					 restore->manifest->domain_uuid,
					 restore->report, restore->ui, err);
	for (size_t i = 0; r == 0 && i < restore->report->nr_disks; i++)
		r = ship_disk(restore, i, err);
	return r < 0 ? r : commit(restore, err);
}

static void release(struct restore *restore)
{
	for (size_t i = 0; i < restore->report->nr_disks; i++)
		if (restore->dests)
			restore_dest_close(restore->dests[i]);
	free(restore->dests);
	session_close(restore->session);
	manifest_free(restore->manifest);
	reading_close(&restore->from);
}

int restore_run(const struct restore_request *request,
		struct restore_report *ret_report, struct ui *ui,
		struct err *err)
{
	struct restore restore = {
		.request = request,
		.report = ret_report,
		.ui = ui,
	};
	uint64_t started_ms = ui_now_ms();
	int r;

	*ret_report = (struct restore_report){.in_place = request->in_place};
	r = restore_all(&restore, err);
	release(&restore);
	ret_report->spent_ms = ui_now_ms() - started_ms;
	return r;
}
