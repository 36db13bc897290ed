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
#include "cmd/options.h"
#include "job/list.h"
#include "repo/catalog.h"
#include "repo/json.h"
#include "repo/manifest.h"
#include "repo/repo.h"

/* ------------------------------------------------------------------ words */

/* "12 min", rounded down; "-" for what is still to come. */
static const char *age(char out[32], time_t created)
{
	long long seconds = (long long)time(NULL) - created;

	if (seconds < 0)
		return "-";
	if (seconds < 120)
		snprintf(out, 32, "%lld s", seconds);
	else if (seconds < 2 * 3600)
		snprintf(out, 32, "%lld min", seconds / 60);
	else if (seconds < 2 * 86400)
		snprintf(out, 32, "%lld h", seconds / 3600);
	else
		snprintf(out, 32, "%lld days", seconds / 86400);
	return out;
}

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

static void print_disks(const struct manifest *point)
{
	for (size_t i = 0; i < point->nr_disks; i++)
		printf("%s%s", i ? "," : "", point->disks[i].target);
	for (size_t i = 0; i < point->nr_left_out; i++)
		printf(" (not %s)", point->left_out[i].target);
	putchar('\n');
}

static void print_points(const struct list_domain *domain)
{
	char when[32], sent[16];

	printf("%-20s %8s  %-11s  %-11s %9s  %s\n", "POINT", "AGE", "KIND",
	       "CONSISTENCY", "SENT", "DISKS");
	for (size_t i = 0; i < domain->catalog->nr_points; i++) {
		const struct manifest *point = domain->catalog->points[i];

		printf("%-20s %8s  %-11s  %-11s %9s  ", point->point,
		       age(when, point->created), kind(point),
		       consistency_name(point->consistency),
		       ui_size(sent, sent_bytes(point)));
		print_disks(point);
	}
}

static void print_domains(const struct list_report *report)
{
	char when[32], size[16];

	printf("%-20s %6s  %-20s %8s %9s\n", "DOMAIN", "POINTS", "NEWEST",
	       "AGE", "SIZE");
	for (size_t i = 0; i < report->nr_domains; i++) {
		const struct list_domain *domain = &report->domains[i];
		const struct manifest *newest = catalog_newest(domain->catalog);

		printf("%-20s %6zu  %-20s %8s %9s\n", domain->name,
		       domain->catalog->nr_points, newest ? newest->point : "-",
		       newest ? age(when, newest->created) : "-",
		       ui_size(size, newest ? size_bytes(newest) : 0));
	}
}

/* ------------------------------------------------------------------- JSON */

static const char *or_null(const char *text)
{
	return *text ? text : NULL;
}

static void describe_disks(struct json_object *to, const struct manifest *point)
{
	struct json_object *list = json_add_array(to, "disks");

	for (size_t i = 0; i < point->nr_disks; i++) {
		const struct manifest_disk *disk = &point->disks[i];
		struct json_object *item = json_append_object(list);

		json_add_string(item, "disk", disk->target);
		json_add_bool(item, "full", disk->full);
		json_add_string(item, "backing", or_null(disk->backing));
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
	json_add_string(to, "parent", or_null(point->parent));
	json_add_string(to, "created", created);
	json_add_string(to, "kind", kind(point));
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

static enum exit_code run(const struct cmd *cmd, int argc, char **argv)
{
	struct options options = options_init(cmd);
	struct list_report report;
	enum exit_code code = EXIT_OK;
	struct err err = {0};
	const char *domain = NULL;

	options_next(&options, NULL, argc, argv);
	if (options_operands(&options, 1, 2, argc, argv) == 2)
		domain = argv[optind++];
	if (list_run(argv[optind], domain, &report, &options.ui, &err) == 0) {
		if (options.ui.nr_warnings)
			code = EXIT_WARNINGS;
		if (!options.json && domain)
			print_points(&report.domains[0]);
		else if (!options.json)
			print_domains(&report);
	}
	code = options_finish(&options, &err, code,
			      options.json ? describe(&report) : NULL);
	list_report_free(&report);
	return code;
}

const struct cmd cmd_list = {
	.name = "list",
	.arguments = "[DOMAIN] REPOSITORY",
	.summary = "Show the points of a domain, or the domains of a "
		   "repository",
	.run = run,
};
