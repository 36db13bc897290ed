/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One point after the other, oldest first: merging goes upwards, so each
 * block is copied once however many points go in a row.
 *
 * The catalog is read anew before each: it is what the files say, and a
 * removal changes what later ones stand on.
 */
#include "job/prune.h"

#include <string.h>
#include <time.h>

#include "base/io.h"
#include "job/interrupt.h"
#include "job/prune-point.h"
#include "job/ui.h"
#include "repo/catalog.h"
#include "repo/domain.h"
#include "repo/manifest.h"
#include "repo/protect.h"
#include "repo/removal.h"
#include "repo/repo.h"

struct prune {
	const struct repo_domain *domain;
	struct catalog *catalog; /* as it is now */
	struct prune_report *report;
	struct ui *ui;
};

void prune_report_free(struct prune_report *report)
{
	free(report->domain);
	free(report->location);
	free(report->points);
	*report = (struct prune_report){0};
}

static int reload(struct prune *prune, struct err *err)
{
	catalog_free(TAKE_PTR(prune->catalog));
	return catalog_load(prune->domain, &prune->catalog, err);
}

/* No use in going on with other points. */
static bool is_final(int code)
{
	return code == -EINTR || code == -ENOMEM || code == -EROFS;
}

/* ------------------------------------------------------------- choosing */

/* What is left of a disk that the domain has no more, and what its next image
 * would be laid over. */
static bool is_last_of_a_disk(const struct catalog *catalog,
			      const struct manifest *point)
{
	for (size_t i = 0; i < point->nr_disks; i++)
		if (catalog_newest_with_disk(catalog, point->disks[i].target) ==
		    point)
			return true;
	return false;
}

/* No rule is about passes of a mirror: they go when there is a newer point. */
static int choose(struct prune *prune, const struct keep *rules,
		  struct err *err)
{
	const struct catalog *catalog = prune->catalog;
	size_t count = catalog->nr_points;
	const struct manifest *newest = catalog_newest(catalog);
	_cleanup_free_ time_t *created = calloc(count + 1, sizeof(*created));
	_cleanup_free_ bool *keep = calloc(count + 1, sizeof(*keep));
	struct prune_report *report = prune->report;
	size_t nr_ruled = 0;

	report->points = calloc(count + 1, sizeof(*report->points));
	if (!created || !keep || !report->points)
		return fail(err, -ENOMEM, "out of memory");
	for (size_t i = 0; i < count; i++)
		if (!catalog->points[i]->is_pass)
			created[nr_ruled++] = catalog->points[i]->created;
	keep_choose(rules, created, nr_ruled, keep);
	nr_ruled = 0;
	for (size_t i = 0; i < count; i++) {
		const struct manifest *point = catalog->points[i];
		struct prune_point *entry = &report->points[i];
		bool ruled = !point->is_pass && keep[nr_ruled++];

		memcpy(entry->point, point->point, sizeof(entry->point));
		entry->created = point->created;
		entry->protected = protect_is_set(prune->domain, point->point);
		entry->kept = ruled || entry->protected || point == newest ||
			      is_last_of_a_disk(catalog, point);
	}
	report->nr_points = count;
	return 0;
}

/* ------------------------------------------------------------- removing */

/* In doubt about any point nothing is removed: it may be what others need. */
static int check_catalog(const struct prune *prune, struct err *err)
{
	const struct catalog *catalog = prune->catalog;

	if (!catalog->nr_damaged && !catalog->is_broken)
		return 0;
	return fail(err, -EBADMSG,
		    "%s: %s; nothing is removed as long as that is so",
		    prune->domain->path, catalog->problems[0]);
}

static int reload_checked(struct prune *prune, struct err *err)
{
	int r = reload(prune, err);

	return r < 0 ? r : check_catalog(prune, err);
}

static int finish(struct prune *prune, const char *point, struct err *err)
{
	const struct manifest *hidden;
	int r = reload_checked(prune, err);

	if (r < 0)
		return r;
	hidden = catalog_hidden(prune->catalog, point);
	if (!hidden)
		return fail(err, -ENOENT, "%s: its removal is gone", point);
	return prune_point_finish(prune->domain, prune->catalog, hidden,
				  &prune->report->moved_bytes, prune->ui, err);
}

/*
 * What an earlier run began is no point any more: it ends first. One at a time
 * is on its way, because two that stand on one another would have to be told
 * apart at every step.
 */
static int take_up(struct prune *prune, struct err *err)
{
	_cleanup_close_ int lock = -1;
	_cleanup_strings_ char **points = NULL;
	size_t count;
	int r = removal_list(prune->domain, &points, &count, err);

	if (r < 0 || count == 0)
		return r;
	lock = repo_domain_stop_readers(prune->domain, err);
	if (lock < 0)
		return lock;
	for (size_t i = 0; r == 0 && i < count; i++) {
		r = finish(prune, points[i], err);
		if (r < 0)
			err_prefix(err, "%s is removed, but not to its end",
				   points[i]);
	}
	return r;
}

/* @ret_begun: the point is gone, whatever became of its images. */
static int remove_point(struct prune *prune, const char *name, bool *ret_begun,
			struct err *err)
{
	_cleanup_close_ int lock = -1;
	const struct manifest *point;
	int r;

	*ret_begun = false;
	/* Nobody begins to read between the check and our own writing. */
	lock = repo_domain_stop_readers(prune->domain, err);
	if (lock < 0)
		return lock;
	r = reload_checked(prune, err);
	if (r == 0)
		r = catalog_find(prune->catalog, name, &point, err);
	if (r == 0)
		r = prune_point_check(prune->domain, prune->catalog, point,
				      err);
	if (r == 0)
		r = removal_begin(prune->domain, name, err);
	if (r < 0)
		return r;
	*ret_begun = true;
	return finish(prune, name, err);
}

static void say_why(struct prune *prune, struct prune_point *entry, int r,
		    const struct err *why)
{
	prune->report->warned = true;
	snprintf(entry->reason, sizeof(entry->reason), "%s", why->text);
	if (r == -EBUSY)
		ui_warn(prune->ui,
			"%s is being read, and stays until the next prune",
			entry->point);
	else
		ui_warn(prune->ui, "%s stays: %s", entry->point, why->text);
}

/* Who waits to read gets his turn. */
static void let_readers_in(void)
{
	const struct timespec pause = {.tv_nsec = 100000000};

	nanosleep(&pause, NULL);
}

static int remove_all(struct prune *prune, struct err *err)
{
	struct prune_report *report = prune->report;
	const volatile sig_atomic_t *cancelled = interrupt_catch();

	for (size_t i = 0; i < report->nr_points; i++) {
		struct prune_point *entry = &report->points[i];
		struct err why = {0};
		bool begun;
		int r;

		if (*cancelled)
			return fail(err, -EINTR, "interrupted");
		if (entry->kept)
			continue;
		if (report->nr_removed)
			let_readers_in();
		r = remove_point(prune, entry->point, &begun, &why);
		entry->removed = begun;
		report->nr_removed += begun;
		if (r < 0 && (begun || is_final(r)))
			return fail(err, r, "%s", why.text);
		if (r < 0)
			say_why(prune, entry, r, &why);
	}
	return 0;
}

int prune_domain(const struct repo_domain *domain, const struct keep *keep,
		 bool dry_run, struct prune_report *report, struct ui *ui,
		 struct err *err)
{
	struct prune prune = {.domain = domain, .report = report, .ui = ui};
	int r = dry_run ? 0 : take_up(&prune, err);

	if (r == 0)
		r = reload_checked(&prune, err);
	if (r == 0)
		r = choose(&prune, keep, err);
	if (r == 0 && !dry_run)
		r = remove_all(&prune, err);
	catalog_free(prune.catalog);
	return r;
}

/* ------------------------------------------------------ for the admin */

static int open_domain(const char *repository, const char *name, bool locked,
		       struct repo **ret_repo, struct repo_domain **ret_domain,
		       struct err *err)
{
	int r = repo_open(repository, ret_repo, err);

	if (r < 0)
		return r;
	return locked ? repo_domain_lock_known(*ret_repo, name, ret_domain, err)
		      : repo_domain_open(*ret_repo, name, ret_domain, err);
}

int prune_run(const struct prune_request *request,
	      struct prune_report *ret_report, struct ui *ui, struct err *err)
{
	_cleanup_repo_ struct repo *repo = NULL;
	_cleanup_repo_domain_ struct repo_domain *domain = NULL;
	uint64_t began_ms = ui_now_ms();
	int r;

	*ret_report = (struct prune_report){0};
	if (keep_is_nothing(&request->keep))
		return fail(err, -EINVAL,
			    "no rule keeps anything; that every point is to be "
			    "kept is no reason to prune");
	r = open_domain(request->repository, request->domain, !request->dry_run,
			&repo, &domain, err);
	if (r < 0)
		return r;
	ret_report->domain = strdup(request->domain);
	ret_report->location = strdup(repo->path);
	if (!ret_report->domain || !ret_report->location)
		return fail(err, -ENOMEM, "out of memory");
	r = prune_domain(domain, &request->keep, request->dry_run, ret_report,
			 ui, err);
	ret_report->spent_ms = ui_now_ms() - began_ms;
	return r;
}

int prune_protect(const char *repository, const char *domain_name,
		  const char *point_name, bool protect, struct err *err)
{
	_cleanup_repo_ struct repo *repo = NULL;
	_cleanup_repo_domain_ struct repo_domain *domain = NULL;
	_cleanup_catalog_ struct catalog *catalog = NULL;
	const struct manifest *point;
	int r = open_domain(repository, domain_name, true, &repo, &domain, err);

	if (r == 0)
		r = catalog_load(domain, &catalog, err);
	if (r == 0)
		r = catalog_find(catalog, point_name, &point, err);
	return r < 0 ? r : protect_set(domain, point->point, protect, err);
}
