/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Listing takes no lock and changes nothing: it works on a repository that is
 * mounted read-only, and beside a running backup.
 */
#include "job/list.h"

#include <string.h>

#include "job/ui.h"
#include "repo/catalog.h"
#include "repo/domain.h"
#include "repo/manifest.h"
#include "repo/point.h"
#include "repo/repo.h"

void list_report_free(struct list_report *report)
{
	for (size_t i = 0; i < report->nr_domains; i++) {
		free(report->domains[i].name);
		catalog_free(report->domains[i].catalog);
		repo_domain_close(report->domains[i].directory);
	}
	free(report->domains);
	repo_close(report->repo);
	*report = (struct list_report){0};
}

/* NULL in @ret_directory, and a warning: no domain of this repository, whatever
 * it looks like. The others are shown all the same. */
static int open_listed(const struct repo *repo, const char *name,
		       struct repo_domain **ret_directory, struct ui *ui,
		       struct err *err)
{
	struct err why = {0};
	int r = repo_domain_open(repo, name, ret_directory, &why);

	if (r == 0)
		return 0;
	*ret_directory = NULL;
	if (r != -EBADMSG)
		return fail(err, r, "%s", why.text);
	ui_warn(ui, "%s", why.text);
	return 0;
}

/* The entry owns @directory from now on. */
static int read_domain(struct list_domain *entry, const char *fallback_name,
		       struct repo_domain *directory, struct ui *ui,
		       struct err *err)
{
	const struct manifest *newest;
	int r;

	entry->directory = directory;
	r = catalog_load(directory, &entry->catalog, err);
	if (r < 0)
		return r;
	newest = catalog_newest(entry->catalog);
	entry->name = strdup(newest ? newest->domain_name : fallback_name);
	if (!entry->name)
		return fail(err, -ENOMEM, "out of memory");
	for (size_t i = 0; i < entry->catalog->nr_problems; i++)
		ui_warn(ui, "%s: %s", entry->name, entry->catalog->problems[i]);
	return 0;
}

static int read_one(struct list_report *report, const char *domain,
		    struct ui *ui, struct err *err)
{
	struct repo_domain *directory;
	int r;

	report->domains = calloc(1, sizeof(*report->domains));
	if (!report->domains)
		return fail(err, -ENOMEM, "out of memory");
	r = repo_domain_open(report->repo, domain, &directory, err);
	if (r < 0)
		return r;
	report->nr_domains = 1;
	return read_domain(&report->domains[0], domain, directory, ui, err);
}

static int read_all(struct list_report *report, struct ui *ui, struct err *err)
{
	_cleanup_strings_ char **names = NULL;
	size_t count;
	int r = repo_list_domains(report->repo, &names, &count, err);

	if (r < 0)
		return r;
	report->domains = calloc(count + 1, sizeof(*report->domains));
	if (!report->domains)
		return fail(err, -ENOMEM, "out of memory");
	for (size_t i = 0; r == 0 && i < count; i++) {
		_cleanup_free_ char *name = domain_name_decode(names[i]);
		struct repo_domain *directory;

		if (!name)
			return fail(err, -ENOMEM, "out of memory");
		r = open_listed(report->repo, name, &directory, ui, err);
		if (r == 0 && directory)
			r = read_domain(&report->domains[report->nr_domains++],
					name, directory, ui, err);
	}
	return r;
}

int list_run(const char *repository, const char *domain,
	     struct list_report *ret_report, struct ui *ui, struct err *err)
{
	int r;

	*ret_report = (struct list_report){0};
	r = repo_open(repository, &ret_report->repo, err);
	if (r < 0)
		return r;
	if (domain)
		return read_one(ret_report, domain, ui, err);
	return read_all(ret_report, ui, err);
}
