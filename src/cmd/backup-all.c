/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A line for each domain; why one failed stands at its end. */
#include "cmd/backup-all.h"

#include <stdio.h>

#include "cmd/options.h"
#include "cmd/table.h"
#include "job/all.h"
#include "repo/json.h"

/* Each one's own report, with its name, which one that failed lacks. */
static struct json_object *describe(struct all_report *report)
{
	struct json_object *object = json_new();
	struct json_object *domains = json_add_array(object, "domains");

	json_add_real(object, "seconds", report->spent_ms / 1000.0);
	for (size_t i = 0; i < report->nr_domains; i++) {
		struct all_domain *domain = &report->domains[i];
		struct json_object *own = domain->report ? domain->report
							 : json_new();

		domain->report = NULL;
		json_add_string(own, "domain", domain->name);
		json_add_bool(own, "begun", domain->begun);
		if (domain->begun) {
			json_add_bool(own, "ok", !domain->error[0]);
			json_add_uint(own, "exit_code", domain->code);
		}
		if (domain->error[0])
			json_add_string(own, "error", domain->error);
		json_add_real(own, "seconds", domain->spent_ms / 1000.0);
		json_append(domains, own);
	}
	return object;
}

static enum table_colour colour(const struct all_domain *domain)
{
	if (!domain->begun)
		return TABLE_DIM;
	if (domain->error[0])
		return TABLE_BAD;
	return domain->code == EXIT_OK ? TABLE_GOOD : TABLE_FAIR;
}

static void add_line(struct table *table, const struct all_domain *domain)
{
	bool made = domain->point[0];
	char changed[16] = "-", sent[16] = "-";

	if (made) {
		ui_size(changed, domain->changed_bytes);
		ui_size(sent, domain->sent_bytes);
	}
	table_add(table, TABLE_PLAIN, "%s", domain->name);
	if (domain->begun)
		table_add(table, colour(domain), "%d", domain->code);
	else
		table_add(table, TABLE_DIM, "-");
	table_add(table, TABLE_PLAIN, "%s", changed);
	table_add(table, TABLE_PLAIN, "%s", sent);
	table_add(table, TABLE_PLAIN, "%.1f s", domain->spent_ms / 1000.0);
	if (made || domain->begun)
		table_add(table, TABLE_PLAIN, "%s",
			  made ? domain->point : domain->error);
	else
		table_add(table, TABLE_DIM, "not begun");
}

static void print_text(const struct all_report *report)
{
	static const struct table_column columns[] = {
		{.title = "DOMAIN"},
		{.title = "EXIT", .right = true},
		{.title = "CHANGED", .right = true},
		{.title = "SENT", .right = true},
		{.title = "TIME", .right = true},
		{.title = "POINT"},
	};
	_cleanup_table_ struct table *table =
		table_new(columns, sizeof(columns) / sizeof(*columns));
	size_t nr_made = 0;
	char spent[32];

	if (!report->nr_domains)
		return;
	for (size_t i = 0; i < report->nr_domains; i++) {
		add_line(table, &report->domains[i]);
		nr_made += report->domains[i].point[0] != '\0';
	}
	table_print(table);
	printf("%zu of %zu domains backed up, %s\n", nr_made,
	       report->nr_domains, ui_duration(spent, report->spent_ms / 1000));
}

static size_t count_failed(const struct all_report *report)
{
	size_t nr_failed = 0;

	for (size_t i = 0; i < report->nr_domains; i++)
		nr_failed += report->domains[i].error[0] != '\0';
	return nr_failed;
}

enum exit_code backup_all(struct options *options,
			  const struct all_request *request)
{
	struct all_report report;
	struct err err = {0};
	enum exit_code code;
	int r = all_run(request, &report, &options->ui, &err);

	if (r == 0 && count_failed(&report))
		(void)fail(&err, -EIO, "%zu of %zu domains were not backed up",
			   count_failed(&report), report.nr_domains);
	if (!options->json && !options->ui.quiet)
		print_text(&report);
	code = r < 0 ? all_worse(report.code, err_exit_code(r)) : report.code;
	code = options_finish(options, &err, code,
			      options->json ? describe(&report) : NULL);
	all_report_free(&report);
	return code;
}
