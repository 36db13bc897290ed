/* SPDX-License-Identifier: GPL-2.0-or-later */
/* dsync-vm prune: what goes and what stays, before it goes if asked for. */
#include <inttypes.h>
#include <stdio.h>

#include "cmd/configured.h"
#include "cmd/options.h"
#include "job/far-uri.h"
#include "job/prune.h"
#include "repo/json.h"

enum {
	OPTION_KEEP = OPTION_OWN, /* and one for each rule after it */
	OPTION_DRY_RUN = OPTION_KEEP + KEEP_NR_RULES,
	OPTION_PROTECT,
	OPTION_UNPROTECT,
};

static const struct option own[] = {
	{"keep-last", required_argument, NULL, OPTION_KEEP + KEEP_LAST},
	{"keep-hourly", required_argument, NULL, OPTION_KEEP + KEEP_HOURLY},
	{"keep-daily", required_argument, NULL, OPTION_KEEP + KEEP_DAILY},
	{"keep-weekly", required_argument, NULL, OPTION_KEEP + KEEP_WEEKLY},
	{"keep-monthly", required_argument, NULL, OPTION_KEEP + KEEP_MONTHLY},
	{"keep-yearly", required_argument, NULL, OPTION_KEEP + KEEP_YEARLY},
	{"dry-run", no_argument, NULL, OPTION_DRY_RUN},
	{"protect", required_argument, NULL, OPTION_PROTECT},
	{"unprotect", required_argument, NULL, OPTION_UNPROTECT},
	{0},
};

/* Their values, as they would be given. */
struct rules_text {
	char values[KEEP_NR_RULES][16];
};

struct arguments {
	struct prune_request request;
	bool rules_given;
	const char *protect, *unprotect;
};

static struct json_object *describe(const struct prune_report *report,
				    bool dry_run)
{
	struct json_object *object = json_new();
	struct json_object *points;

	if (!report->domain)
		return object;
	json_add_string(object, "domain", report->domain);
	json_add_string(object, "repository", report->location);
	json_add_bool(object, "dry_run", dry_run);
	json_add_uint(object, "removed", report->nr_removed);
	json_add_uint(object, "moved_bytes", report->moved_bytes);
	json_add_real(object, "seconds", report->spent_ms / 1000.0);
	points = json_add_array(object, "points");
	for (size_t i = 0; i < report->nr_points; i++) {
		const struct prune_point *point = &report->points[i];
		struct json_object *item = json_append_object(points);

		json_add_string(item, "point", point->point);
		json_add_bool(item, "keep", point->kept);
		json_add_bool(item, "protected", point->protected);
		json_add_bool(item, "removed", point->removed);
		json_add_string(item, "reason",
				point->reason[0] ? point->reason : NULL);
	}
	return object;
}

static const char *fate(const struct prune_point *point, bool dry_run)
{
	if (point->protected)
		return "protected";
	if (point->kept)
		return "keep";
	if (point->removed)
		return "removed";
	return dry_run ? "would go" : "stays";
}

static void print_text(const struct prune_report *report, bool dry_run)
{
	size_t nr_kept = 0;
	char moved[16];

	for (size_t i = 0; i < report->nr_points; i++) {
		const struct prune_point *point = &report->points[i];

		nr_kept += point->kept;
		if (dry_run || !point->kept)
			printf("  %-20s  %s\n", point->point,
			       fate(point, dry_run));
	}
	if (dry_run)
		printf("%s: %zu of %zu points would go\n", report->domain,
		       report->nr_points - nr_kept, report->nr_points);
	else
		printf("%s: %zu of %zu points removed, %s moved, %.1f s\n",
		       report->domain, report->nr_removed, report->nr_points,
		       ui_size(moved, report->moved_bytes),
		       report->spent_ms / 1000.0);
}

/* The first rule that is given takes the place of all defaults. */
static bool take_rule(struct arguments *arguments, int option)
{
	struct keep *keep = &arguments->request.keep;

	if (!arguments->rules_given)
		*keep = (struct keep){0};
	arguments->rules_given = true;
	return keep_parse(optarg, &keep->count[option - OPTION_KEEP]) == 0;
}

static enum exit_code protect(const struct options *options,
			      const struct arguments *arguments)
{
	const char *point = arguments->protect ? arguments->protect
					       : arguments->unprotect;
	struct err err = {0};

	(void)prune_protect(arguments->request.repository,
			    arguments->request.domain, point,
			    arguments->protect, &err);
	return options_finish(options, &err, EXIT_OK, NULL);
}

static enum exit_code prune(struct options *options,
			    const struct prune_request *request)
{
	struct prune_report report;
	struct err err = {0};
	enum exit_code code = EXIT_OK;

	if (prune_run(request, &report, &options->ui, &err) == 0) {
		code = report.warned ? EXIT_WARNINGS : EXIT_OK;
		if (!options->json && !options->ui.quiet)
			print_text(&report, request->dry_run);
	}
	code = options_finish(
		options, &err, code,
		options->json ? describe(&report, request->dry_run) : NULL);
	prune_report_free(&report);
	return code;
}

/* A repository elsewhere is thinned out by the rules of this host. */
static void give_rules(struct options *options, const struct keep *keep,
		       struct rules_text *text)
{
	for (int rule = 0; rule < KEEP_NR_RULES; rule++) {
		snprintf(text->values[rule], sizeof(text->values[rule]), "%u",
			 keep->count[rule]);
		options_give(options, own[rule].name, text->values[rule]);
	}
}

static enum exit_code start(struct options *options,
			    struct arguments *arguments, const char *operand)
{
	struct prune_request *request = &arguments->request;
	bool protecting = arguments->protect || arguments->unprotect;
	_cleanup_config_ struct config config = {0};
	_cleanup_free_ char *repository = NULL;
	struct err err = {0};
	int r = configured_target(options, request->domain, operand,
				  &repository, &err);

	char *operands[] = {(char *)request->domain, repository};
	struct rules_text rules;

	if (r == 0 && !protecting && !arguments->rules_given) {
		r = configured(options, request->domain, &config, &err);
		request->keep = config.keep;
		give_rules(options, &config.keep, &rules);
	}
	if (r < 0)
		return options_finish(options, &err, EXIT_OK, NULL);
	if (far_is_uri(repository))
		return options_run_there(options, repository, operands, 2, 1);
	request->repository = repository;
	return protecting ? protect(options, arguments)
			  : prune(options, request);
}

static enum exit_code run(const struct cmd *cmd, int argc, char **argv)
{
	struct options options = options_init(cmd);
	struct arguments arguments = {0};
	int option;

	while ((option = options_next(&options, own, argc, argv)) >= 0) {
		if (option == OPTION_DRY_RUN)
			arguments.request.dry_run = true;
		else if (option == OPTION_PROTECT)
			arguments.protect = optarg;
		else if (option == OPTION_UNPROTECT)
			arguments.unprotect = optarg;
		else if (!take_rule(&arguments, option))
			return options_usage(&options,
					     "--keep-%s=%s: a number of points",
					     keep_name(option - OPTION_KEEP),
					     optarg);
	}
	options_operands(&options, 1, 2, argc, argv);
	arguments.request.domain = argv[optind];
	if ((arguments.protect && arguments.unprotect) ||
	    ((arguments.protect || arguments.unprotect) &&
	     (arguments.rules_given || arguments.request.dry_run)))
		return options_usage(&options,
				     "--protect or --unprotect come alone");
	return start(&options, &arguments, argv[optind + 1]);
}

const struct cmd cmd_prune = {
	.name = "prune",
	.arguments = "DOMAIN [REPOSITORY]",
	.summary = "Remove restore points that no rule keeps",
	.options =
		"The newest point always stays. Without a rule, those of "
		"dsync-vm.conf(5); if that\nhas none: last 6, hourly 24, daily 14, "
		"weekly 8, monthly 24, yearly 4.\nREPOSITORY is a directory, or "
		"a name from dsync-vm.conf(5); without it, the\ndefault one "
		"there.\n\n"
		"      --keep-last=N     keep the last N points\n"
		"      --keep-hourly=N   keep the newest of each of N hours; "
		"likewise\n"
		"      --keep-daily=N, --keep-weekly=N, --keep-monthly=N, "
		"--keep-yearly=N\n"
		"      --dry-run         only show what would go\n"
		"      --protect=POINT   keep this point whatever the rules "
		"say\n"
		"      --unprotect=POINT no longer\n",
	.run = run,
};
