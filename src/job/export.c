/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A directory of its own with a socket for each disk, of a name that fits
 * into a socket's address, and with the overlays if there are any.
 */
#include "job/export.h"

#include <poll.h>
#include <string.h>
#include <sys/stat.h>

#include "base/io.h"
#include "base/name.h"
#include "job/export-far.h"
#include "job/far-uri.h"
#include "job/interrupt.h"
#include "job/reading.h"
#include "job/ui.h"
#include "repo/image.h"
#include "repo/manifest.h"
#include "ship/server.h"

#define ROUND_MS 1000

struct export
{
	const struct export_request *request;
	struct reading from;
	struct manifest *point;
	char *dir;
	bool made_dir;
	struct ship_server **servers; /* one for each disk, or else */
	struct export_far **fars;     /* of a repository elsewhere */
	struct pollfd *doors;         /* where somebody may come in */
	char **overlays;              /* paths; NULL: none */
	struct export_report report;
	ship_cancel cancelled;
};

const struct export_report *export_report(const struct export *export)
{
	return &export->report;
}

static int make_dir(struct export *export, struct err *err)
{
	const char *parent =
		geteuid() == 0 && io_make_dirs(PLACE_RUN, NULL) == 0 ? PLACE_RUN
								     : "/tmp";

	if (export->request->dir) {
		export->dir = strdup(export->request->dir);
		return export->dir ? io_make_dirs(export->dir, err)
				   : fail(err, -ENOMEM, "out of memory");
	}
	export->dir = io_format("%s/export.XXXXXX", parent);
	if (!export->dir)
		return fail(err, -ENOMEM, "out of memory");
	if (!mkdtemp(export->dir))
		return fail_errno(err, -errno, "%s", export->dir);
	export->made_dir = true;
	return 0;
}

/* ---------------------------------------------------------------- serving */

static int make_overlay(struct export *export, size_t i, const char *image,
			struct err *err)
{
	const struct export_disk *disk = &export->report.disks[i];
	_cleanup_free_ char *path =
		io_format("%s/%s.qcow2", export->dir, disk->target);

	if (!path)
		return fail(err, -ENOMEM, "out of memory");
	if (access(path, F_OK) == 0)
		return fail(err, -EEXIST, "%s exists", path);
	export->overlays[i] = TAKE_PTR(path);
	return image_make_overlay(export->overlays[i], image, disk->size_bytes,
				  err);
}

/* Reads from it once: a server that cannot open its image says so now. */
static int try_out(struct export *export, size_t i, struct err *err)
{
	_cleanup_source_ struct ship_source *source = NULL;

	return ship_server_open_source(export->servers[i], export->cancelled,
				       &source, err);
}

static int serve_from_far(struct export *export, size_t i, struct ui *ui,
			  struct err *err)
{
	const struct export_disk *disk = &export->report.disks[i];
	const struct export_far_disk far = {
		.repository = export->request->repository,
		.domain = export->request->domain,
		.point = export->point,
		.target = disk->target,
		.socket = disk->socket,
	};

	return export_far_begin(&far, export->cancelled, &export->fars[i], ui,
				err);
}

static int serve_from_here(struct export *export, size_t i, struct err *err)
{
	const struct export_disk *disk = &export->report.disks[i];
	_cleanup_free_ char *path = image_path(
		export->from.domain, disk->target, export->point->point);
	struct ship_image image = {.path = path,
				   .format = "qcow2",
				   .read_only = !export->request->writable};
	int r = 0;

	if (!path)
		return fail(err, -ENOMEM, "out of memory");
	if (export->request->writable) {
		r = make_overlay(export, i, path, err);
		image.path = export->overlays[i];
	}
	if (r == 0)
		r = ship_server_start_at(&image, disk->socket,
					 &export->servers[i], err);
	return r < 0 ? r : try_out(export, i, err);
}

static int serve(struct export *export, size_t i, struct ui *ui,
		 struct err *err)
{
	struct export_disk *disk = &export->report.disks[i];

	disk->socket = io_format("%s/%s", export->dir, disk->target);
	if (!disk->socket)
		return fail(err, -ENOMEM, "out of memory");
	return export->from.far ? serve_from_far(export, i, ui, err)
				: serve_from_here(export, i, err);
}

/* --------------------------------------------------------------- choosing */

static int choose(struct export *export, const char *target, struct err *err)
{
	const struct manifest_disk *disk =
		manifest_find_disk(export->point, target);
	struct export_report *report = &export->report;
	struct export_disk *chosen = &report->disks[report->nr_disks];

	if (!disk)
		return fail(err, -ENOENT, "the point %s has no disk %s",
			    export->point->point, target);
	snprintf(chosen->target, sizeof(chosen->target), "%s", target);
	chosen->size_bytes = disk->size_bytes;
	report->nr_disks++;
	return reading_check(&export->from, export->point, target, err);
}

static int choose_all(struct export *export, struct err *err)
{
	const struct export_request *request = export->request;
	const struct manifest *point = export->point;
	size_t count = request->nr_targets ? request->nr_targets
					   : point->nr_disks;
	struct export_report *report = &export->report;
	int r = 0;

	memcpy(report->point, point->point, sizeof(report->point));
	report->domain = strdup(point->domain_name);
	report->disks = calloc(count + 1, sizeof(*report->disks));
	export->servers = calloc(count + 1, sizeof(*export->servers));
	export->fars = calloc(count + 1, sizeof(*export->fars));
	export->doors = calloc(count + 1, sizeof(*export->doors));
	export->overlays = calloc(count + 1, sizeof(*export->overlays));
	if (!report->domain || !report->disks || !export->servers ||
	    !export->fars || !export->doors || !export->overlays)
		return fail(err, -ENOMEM, "out of memory");
	for (size_t i = 0; r == 0 && i < count; i++)
		r = choose(export,
			   request->nr_targets ? request->targets[i]
					       : point->disks[i].target,
			   err);
	return r;
}

static int begin(struct export *export, struct ui *ui, struct err *err)
{
	const struct export_request *request = export->request;
	int r;

	if (request->writable && far_is_uri(request->repository))
		return fail(err, -EOPNOTSUPP,
			    "%s: is on another host: run 'dsync-vm export "
			    "--writable' there, or restore to qcow2 files",
			    request->repository);
	r = reading_open(&export->from, request->repository, request->domain,
			 export->cancelled, ui, err);
	if (r == 0)
		r = reading_find(&export->from, request->point, &export->point,
				 err);
	if (r == 0)
		r = choose_all(export, err);
	if (r == 0)
		r = make_dir(export, err);
	for (size_t i = 0; r == 0 && i < export->report.nr_disks; i++)
		r = serve(export, i, ui, err);
	return r;
}

int export_open(const struct export_request *request,
		struct export **ret_export, struct ui *ui, struct err *err)
{
	struct export *export = calloc(1, sizeof(*export));

	*ret_export = export;
	if (!export)
		return fail(err, -ENOMEM, "out of memory");
	export->request = request;
	export->cancelled = interrupt_catch();
	return begin(export, ui, err);
}

static int check(struct export *export, size_t i, struct err *err)
{
	if (export->fars[i])
		return export_far_check(export->fars[i], err);
	if (ship_server_is_running(export->servers[i]))
		return 0;
	return fail(err, -EIO, "%s: its server has ended",
		    export->report.disks[i].target);
}

/* Waits for a second, or until somebody comes in. */
static void answer(struct export *export)
{
	size_t nr_disks = export->report.nr_disks;
	struct pollfd *doors = export->doors;

	for (size_t i = 0; i < nr_disks; i++)
		doors[i] = (struct pollfd){
			.fd = export->fars[i] ? export_far_fd(export->fars[i])
					      : -1,
			.events = POLLIN};
	if (poll(doors, nr_disks, ROUND_MS) <= 0)
		return;
	for (size_t i = 0; i < nr_disks; i++)
		if (doors[i].revents)
			export_far_answer(export->fars[i]);
}

/* A signal ends poll(2) early; one that came before it costs a second. */
int export_wait(struct export *export, struct err *err)
{
	int r = 0;

	while (r == 0 && !*export->cancelled) {
		answer(export);
		for (size_t i = 0; r == 0 && i < export->report.nr_disks; i++)
			r = check(export, i, err);
	}
	/* It may have come while a far side was asked. */
	if (*export->cancelled)
		err_clear(err);
	return *export->cancelled ? 0 : r;
}

void export_close(struct export *export)
{
	struct export_report *report;

	if (!export)
		return;
	report = &export->report;
	for (size_t i = 0; i < report->nr_disks; i++) {
		if (export->servers && export->servers[i])
			ship_server_kill(export->servers[i]);
		if (export->fars)
			export_far_end(export->fars[i]);
		if (export->overlays && export->overlays[i]) {
			(void)unlink(export->overlays[i]);
			free(export->overlays[i]);
		}
		free(report->disks[i].socket);
	}
	if (export->made_dir)
		(void)rmdir(export->dir);
	free(report->disks);
	free(report->domain);
	free(export->servers);
	free(export->fars);
	free(export->doors);
	free(export->overlays);
	free(export->dir);
	manifest_free(export->point);
	reading_close(&export->from);
	free(export);
}
