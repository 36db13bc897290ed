/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * dsync-vm list: the domains of a repository, or the points of one domain,
 * oldest first, so that the newest one stands above the prompt.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/cleanup.h"
#include "cmd/configured.h"
#include "cmd/options.h"
#include "job/far-uri.h"
#include "cmd/table.h"
#include "job/list.h"
#include "repo/catalog.h"
#include "repo/json.h"
#include "repo/manifest.h"
#include "repo/repo.h"

/* ------------------------------------------------------------------ words */

static const char *kind(const struct manifest *point)
{
	size_t nr_full = 0;

	for (size_t i = 0; i < point->nr_disks; i++)
		nr_full += point->disks[i].full;
	if (nr_full == point->nr_disks)
		return "full";
	return nr_full ? "mixed" : "incremental";
}

static uint64_t sent_bytes(const struct manifest *point)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < point->nr_disks; i++)
		sum += point->disks[i].bytes_sent;
	return sum;
}

static uint64_t size_bytes(const struct manifest *point)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < point->nr_disks; i++)
		sum += point->disks[i].size_bytes;
	return sum;
}

/* ------------------------------------------------------------------- text */

static void add_disks(struct table *table, const struct manifest *point)
{
	_cleanup_free_ char *text = NULL;
	_cleanup_fclose_ FILE *to = NULL;
	size_t size;

	to = open_memstream(&text, &size);
	for (size_t i = 0; to && i < point->nr_disks; i++)
		fprintf(to, "%s%s", i ? "," : "", point->disks[i].target);
	for (size_t i = 0; to && i < point->nr_left_out; i++)
		fprintf(to, " (not %s)", point->left_out[i].target);
	if (to)
		fflush(to);
	table_add(table, TABLE_PLAIN, "%s", text ? text : "?");
}

static void print_points(const struct list_domain *domain)
{
	static const struct table_column columns[] = {
		{.title = "POINT"},
		{.title = "AGE", .right = true},
		{.title = "KIND"},
		{.title = "CONSISTENCY"},
		{.title = "SENT", .right = true},
		{.title = "DISKS"},
	};
	_cleanup_table_ struct table *table =
		table_new(columns, sizeof(columns) / sizeof(*columns));
	char when[32], sent[16];
	time_t now = time(NULL);

	for (size_t i = 0; i < domain->catalog->nr_points; i++) {
		const struct manifest *point = domain->catalog->points[i];

		table_add(table, TABLE_PLAIN, "%s", point->point);
		table_add(table, TABLE_PLAIN, "%s",
			  ui_age(when, now - point->created));
		table_add(table, TABLE_PLAIN, "%s%s", kind(point),
			  point->is_pass ? ", pass" : "");
		table_add(table,
			  point->consistency == CONSISTENCY_TORN ? TABLE_FAIR
								 : TABLE_PLAIN,
			  "%s", consistency_name(point->consistency));
		table_add(table, TABLE_PLAIN, "%s",
			  ui_size(sent, sent_bytes(point)));
		add_disks(table, point);
	}
	table_print(table);
}

static void print_domains(const struct list_report *report)
{
	static const struct table_column columns[] = {
		{.title = "DOMAIN"},
		{.title = "POINTS", .right = true},
		{.title = "NEWEST"},
		{.title = "AGE", .right = true},
		{.title = "SIZE", .right = true},
	};
	_cleanup_table_ struct table *table =
		table_new(columns, sizeof(columns) / sizeof(*columns));
	char when[32], size[16];
	time_t now = time(NULL);

	for (size_t i = 0; i < report->nr_domains; i++) {
		const struct list_domain *domain = &report->domains[i];
		const struct manifest *newest = catalog_newest(domain->catalog);

		table_add(table, TABLE_PLAIN, "%s", domain->name);
		table_add(table, TABLE_PLAIN, "%zu",
			  domain->catalog->nr_points);
		table_add(table, TABLE_PLAIN, "%s",
			  newest ? newest->point : "-");
		table_add(table, TABLE_PLAIN, "%s",
			  newest ? ui_age(when, now - newest->created) : "-");
		table_add(table, TABLE_PLAIN, "%s",
			  ui_size(size, newest ? size_bytes(newest) : 0));
	}
	table_print(table);
}

/* ------------------------------------------------------------------- JSON */

static void describe_disks(struct json_object *to, const struct manifest *point)
{
	struct json_object *list = json_add_array(to, "disks");

	for (size_t i = 0; i < point->nr_disks; i++) {
		const struct manifest_disk *disk = &point->disks[i];
		struct json_object *item = json_append_object(list);

		json_add_string(item, "disk", disk->target);
		json_add_bool(item, "full", disk->full);
		json_add_text(item, "backing", disk->backing);
		json_add_uint(item, "size_bytes", disk->size_bytes);
		json_add_uint(item, "block_bytes", disk->block_bytes);
		json_add_uint(item, "blocks", disk->blocks_changed);
		json_add_uint(item, "sent_bytes", disk->bytes_sent);
		json_add_uint(item, "zero_bytes", disk->zero_bytes);
	}
	list = json_add_array(to, "left_out");
	for (size_t i = 0; i < point->nr_left_out; i++) {
		struct json_object *item = json_append_object(list);

		json_add_string(item, "disk", point->left_out[i].target);
		json_add_string(item, "reason", point->left_out[i].reason);
	}
}

static void describe_point(struct json_object *to, const struct manifest *point)
{
	char created[UTC_SIZE];

	utc_format(point->created, created);
	json_add_string(to, "point", point->point);
	json_add_text(to, "parent", point->parent);
	json_add_string(to, "created", created);
	json_add_string(to, "kind", kind(point));
	json_add_bool(to, "pass", point->is_pass);
	json_add_string(to, "consistency",
			consistency_name(point->consistency));
	json_add_uint(to, "freeze_ms", point->freeze_ms);
	json_add_uint(to, "suspend_ms", point->suspend_ms);
	json_add_uint(to, "sent_bytes", sent_bytes(point));
	describe_disks(to, point);
}

static void describe_domain(struct json_object *to,
			    const struct list_domain *domain)
{
	const struct catalog *catalog = domain->catalog;
	struct json_object *points, *problems;

	json_add_string(to, "domain", domain->name);
	json_add_string(to, "uuid",
			catalog->nr_points ? catalog->points[0]->domain_uuid
					   : NULL);
	points = json_add_array(to, "points");
	for (size_t i = 0; i < catalog->nr_points; i++)
		describe_point(json_append_object(points), catalog->points[i]);
	problems = json_add_array(to, "problems");
	for (size_t i = 0; i < catalog->nr_problems; i++)
		json_append_string(problems, catalog->problems[i]);
}

static struct json_object *describe(const struct list_report *report)
{
	struct json_object *object = json_new();
	struct json_object *domains;

	if (!report->repo)
		return object;
	json_add_string(object, "repository", report->repo->path);
	json_add_string(object, "id", report->repo->id);
	domains = json_add_array(object, "domains");
	for (size_t i = 0; i < report->nr_domains; i++)
		if (report->domains[i].name)
			describe_domain(json_append_object(domains),
					&report->domains[i]);
	return object;
}

static enum exit_code list(struct options *options, const char *domain,
			   const char *operand)
{
	_cleanup_free_ char *repository = NULL;
	struct list_report report = {0};
	enum exit_code code = EXIT_OK;
	struct err err = {0};
	int r = configured_target(options, domain, operand, &repository, &err);
	char *operands[] = {(char *)domain, repository};

	if (r == 0 && far_is_uri(repository))
		return options_run_there(options, repository,
					 operands + !domain, domain ? 2 : 1,
					 domain ? 1 : 0);
	if (r == 0)
		r = list_run(repository, domain, &report, &options->ui, &err);
	if (r == 0) {
		if (options->ui.nr_warnings)
			code = EXIT_WARNINGS;
		if (!options->json && domain)
			print_points(&report.domains[0]);
		else if (!options->json)
			print_domains(&report);
	}
	code = options_finish(options, &err, code,
			      options->json ? describe(&report) : NULL);
	list_report_free(&report);
	return code;
}

static enum exit_code run(const struct cmd *cmd, int argc, char **argv)
{
	struct options options = options_init(cmd);
	const char *domain = NULL;

	options_next(&options, NULL, argc, argv);
	if (options_operands(&options, 0, 2, argc, argv) == 2)
		domain = argv[optind++];
	return list(&options, domain, argv[optind]);
}

const struct cmd cmd_list = {
	.name = "list",
	.arguments = "[[DOMAIN] REPOSITORY]",
	.summary = "Show the points of a domain, or the domains of a "
		   "repository",
	.run = run,
};
