/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which points, and what of them.  Points share images: the newest is read
 * whole, and of every other one only what its own image has, which no later
 * reading saw.  So all points cost one reading of all that is stored.
 *
 * One disk that cannot be read is no reason not to look at the others.
 */
#include "job/verify.h"

#include <string.h>

#include "base/io.h"
#include "job/reading.h"
#include "job/ui.h"
#include "job/verify-disk.h"
#include "repo/catalog.h"
#include "repo/domain.h"
#include "repo/manifest.h"
#include "repo/repo.h"

struct verify {
	const struct verify_request *request;
	struct reading from;
	unsigned int nr_broken; /* disks that cannot be read */
	struct verify_report *report;
	struct ui *ui;
};

void verify_report_free(struct verify_report *report)
{
	free(report->domain);
	free(report->location);
	free(report->disks);
	free(report->ranges);
	*report = (struct verify_report){0};
}

struct verify_disk *verify_add_disk(struct verify_report *report,
				    const char *target, const char *point)
{
	struct verify_disk *disk = reallocarray(
		report->disks, report->nr_disks + 1, sizeof(*disk));

	if (!disk)
		return NULL;
	report->disks = disk;
	disk += report->nr_disks++;
	*disk = (struct verify_disk){0};
	snprintf(disk->target, sizeof(disk->target), "%s", target);
	snprintf(disk->point, sizeof(disk->point), "%s", point);
	return disk;
}

/* Joins the range listed last if it goes on from there. */
int verify_add_range(struct verify_report *report,
		     const struct verify_disk *disk, const char *image,
		     uint64_t first, uint64_t count)
{
	size_t nr = report->nr_ranges;
	struct verify_range *last = nr ? &report->ranges[nr - 1] : NULL;

	if (last && last->first + last->count == first &&
	    strcmp(last->target, disk->target) == 0 &&
	    strcmp(last->point, disk->point) == 0 &&
	    strcmp(last->image, image) == 0) {
		last->count += count;
		return 0;
	}
	if (nr == VERIFY_MAX_RANGES)
		return 0;
	last = reallocarray(report->ranges, nr + 1, sizeof(*last));
	if (!last)
		return -ENOMEM;
	report->ranges = last;
	last += nr;
	report->nr_ranges++;
	*last = (struct verify_range){.first = first, .count = count};
	memcpy(last->target, disk->target, sizeof(last->target));
	memcpy(last->point, disk->point, sizeof(last->point));
	snprintf(last->image, sizeof(last->image), "%s", image);
	return 0;
}

/* Not the repository's fault: no use in going on. */
static bool is_ours(int code)
{
	return code == -EINTR || code == -ENOMEM || code == -EBUSY ||
	       code == -EMFILE || code == -ENFILE || code == -EACCES ||
	       code == -ENOENT || code == -ENOSPC || code == -EROFS;
}

static int look_at(struct verify *verify, const struct manifest *point,
		   const char *target, bool own, struct err *err)
{
	const struct verify_disk_args args = {.domain = verify->from.domain,
					      .catalog = verify->from.catalog,
					      .point = point,
					      .target = target};
	struct verify_report *report = verify->report;
	struct verify_disk *disk =
		verify_add_disk(report, target, point->point);
	struct err why = {0};
	int r;

	if (!disk)
		return fail(err, -ENOMEM, "out of memory");
	disk->own = own;
	r = verify_disk(&args, disk, report, verify->ui, &why);
	report->mismatched += disk->mismatched;
	report->unknown += disk->unknown;
	if (r == 0)
		return 0;
	if (is_ours(r))
		return fail(err, r, "%s", why.text);
	verify->nr_broken++;
	ui_warn(verify->ui, "%s of %s cannot be read: %s", target, point->point,
		why.text);
	return 0;
}

static int look_at_point(struct verify *verify, const struct manifest *point,
			 bool own, struct err *err)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < point->nr_disks; i++)
		r = look_at(verify, point, point->disks[i].target, own, err);
	return r;
}

/*
 * Whether somebody else's image has been read through that of the disk: the
 * newest is read whole, as is one over an image that is on its way out and
 * that nobody looks at for its own sake.
 */
static bool is_whole(const struct catalog *catalog,
		     const struct manifest *point,
		     const struct manifest_disk *disk)
{
	return point == catalog_newest_with_disk(catalog, disk->target) ||
	       catalog_hidden(catalog, disk->backing);
}

/* A disk that was detached later is newest at an older point. */
static int look_at_all(struct verify *verify, struct err *err)
{
	const struct catalog *catalog = verify->from.catalog;
	int r = 0;

	for (size_t i = catalog->nr_points; r == 0 && i-- > 0;) {
		const struct manifest *point = catalog->points[i];

		for (size_t j = 0; r == 0 && j < point->nr_disks; j++) {
			const struct manifest_disk *disk = &point->disks[j];

			r = look_at(verify, point, disk->target,
				    !is_whole(catalog, point, disk), err);
		}
	}
	return r;
}

static int look_at_named(struct verify *verify, const char *name,
			 struct err *err)
{
	const struct manifest *point;
	struct err why = {0};
	int r = catalog_find(verify->from.catalog, name, &point, &why);

	if (r < 0)
		return fail(err, r, "%s; 'dsync-vm list %s %s' shows them",
			    why.text, verify->request->domain,
			    verify->request->repository);
	return look_at_point(verify, point, false, err);
}

static int look_at_chosen(struct verify *verify, struct err *err)
{
	const struct verify_request *request = verify->request;
	int r = 0;

	if (verify->from.catalog->nr_points == 0 &&
	    !verify->from.catalog->nr_damaged)
		return fail(err, -ENOENT, "%s has no points of %s",
			    verify->from.repo->path, request->domain);
	if (request->all)
		return look_at_all(verify, err);
	if (request->nr_points == 0)
		return look_at_named(verify, "latest", err);
	for (size_t i = 0; r == 0 && i < request->nr_points; i++)
		r = look_at_named(verify, request->points[i], err);
	return r;
}

static int open_all(struct verify *verify, struct err *err)
{
	const struct verify_request *request = verify->request;
	struct verify_report *report = verify->report;
	const struct manifest *newest;
	int r = reading_open(&verify->from, request->repository,
			     request->domain, NULL, verify->ui, err);

	if (r < 0)
		return r;
	newest = catalog_newest(verify->from.catalog);
	report->domain = strdup(newest ? newest->domain_name : request->domain);
	report->location = strdup(verify->from.repo->path);
	if (!report->domain || !report->location)
		return fail(err, -ENOMEM, "out of memory");
	return 0;
}

/* What it all comes to. */
static int judge(const struct verify *verify, struct err *err)
{
	const struct verify_report *report = verify->report;

	if (report->mismatched)
		return fail(err, -EBADMSG,
			    "%s: %llu blocks are not what was backed up; the "
			    "next backup sends those of the newest point again",
			    report->domain,
			    (unsigned long long)report->mismatched);
	if (verify->nr_broken || verify->from.catalog->nr_problems)
		return fail(err, -EBADMSG,
			    "%s: not everything can be read (see above)",
			    report->domain);
	if (report->unknown)
		return fail(err, -EBADMSG,
			    "%s: the sums of %llu blocks are missing, so "
			    "nobody knows what they should be",
			    report->domain,
			    (unsigned long long)report->unknown);
	return 0;
}

int verify_run(const struct verify_request *request,
	       struct verify_report *ret_report, struct ui *ui, struct err *err)
{
	struct verify verify = {
		.request = request, .report = ret_report, .ui = ui};
	uint64_t began_ms = ui_now_ms();
	int r;

	*ret_report = (struct verify_report){0};
	r = open_all(&verify, err);
	if (r == 0)
		r = look_at_chosen(&verify, err);
	if (r == 0)
		r = judge(&verify, err);
	ret_report->spent_ms = ui_now_ms() - began_ms;
	reading_close(&verify.from);
	return r;
}
