/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The diff is diff(1)'s, which every system has; both texts go to it through
 * memory files, since they may hold a domain's secrets.
 */
#include "cmd/attach-print.h"

#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include "base/cleanup.h"
#include "base/io.h"
#include "cmd/options.h"
#include "repo/json.h"

static int memory_file(const char *name, const char *text)
{
	_cleanup_close_ int fd = memfd_create(name, 0);
	int r = fd < 0 ? -errno : io_write_full(fd, text, strlen(text));

	if (r == 0)
		r = io_write_full(fd, "\n", 1);
	return r < 0 ? r : TAKE_FD(fd);
}

static void print_diff(const struct attach_report *report)
{
	_cleanup_close_ int before = memory_file("before", report->before);
	_cleanup_close_ int after = memory_file("after", report->after);
	char paths[2][32];
	pid_t pid;

	if (before < 0 || after < 0)
		return;
	snprintf(paths[0], sizeof(paths[0]), "/dev/fd/%d", before);
	snprintf(paths[1], sizeof(paths[1]), "/dev/fd/%d", after);
	fflush(stdout);
	pid = fork();
	if (pid == 0) {
		execlp("diff", "diff", "-u", "--label", "now", "--label",
		       "then", paths[0], paths[1], (char *)NULL);
		_exit(127);
	}
	if (pid > 0)
		waitpid(pid, NULL, 0);
}

static const char *const action_names[] = {
	[ATTACH_DONE] = "done",
	[ATTACH_ALREADY] = "already",
	[ATTACH_LEFT] = "left",
};

static struct json_object *describe(const struct attach_report *report,
				    bool dry_run)
{
	struct json_object *object = json_new(), *disks;

	if (!report->domain)
		return object;
	json_add_string(object, "domain", report->domain);
	json_add_bool(object, "running", report->running);
	json_add_bool(object, "changed", report->changed && !dry_run);
	disks = json_add_array(object, "disks");
	for (size_t i = 0; i < report->nr_disks; i++) {
		const struct attach_disk *disk = &report->disks[i];
		struct json_object *item = json_append_object(disks);

		json_add_string(item, "disk", disk->target);
		json_add_string(item, "action", action_names[disk->action]);
		json_add_string(item, "device",
				disk->name[0] ? disk->name : NULL);
		json_add_string(item, "path", disk->path);
		json_add_string(item, "metadata",
				disk->metadata[0] ? disk->metadata : NULL);
		json_add_string(item, "reason",
				disk->reason[0] ? disk->reason : NULL);
	}
	return object;
}

static void print_disk(const struct attach_disk *disk, const char *verb,
		       struct ui *ui)
{
	switch (disk->action) {
	case ATTACH_DONE:
		ui_note(ui, "  %s: %s: %s (%s)", disk->target, verb, disk->path,
			disk->name);
		if (disk->metadata[0])
			ui_note(ui, "  %s: metadata in %s", disk->target,
				disk->metadata);
		break;
	case ATTACH_ALREADY:
		ui_note(ui, "  %s: attached already: %s", disk->target,
			disk->path);
		break;
	case ATTACH_LEFT:
		if (disk->expected)
			ui_note(ui, "  %s: left out: %s", disk->target,
				disk->reason);
		else
			ui_warn(ui, "%s: left out: %s", disk->target,
				disk->reason);
		break;
	}
}

static void print_text(const struct attach_report *report, const char *verb,
		       bool dry_run, struct ui *ui)
{
	if (!report->changed)
		ui_note(ui, "%s: attached already, nothing to do",
			report->domain);
	else if (dry_run)
		ui_note(ui, "%s: would change:", report->domain);
	else
		ui_note(ui, "%s:", report->domain);
	for (size_t i = 0; i < report->nr_disks; i++)
		print_disk(&report->disks[i], verb, ui);
	if (report->changed && report->running)
		ui_note(ui,
			"%s is running: this takes effect when it is shut "
			"down and started again",
			report->domain);
}

enum exit_code attach_print(const struct options *options,
			    struct attach_report *report, const char *verb,
			    bool dry_run, const struct err *err)
{
	struct ui ui = options->ui;
	enum exit_code code = EXIT_OK;

	if (!err->code) {
		print_text(report, verb, dry_run, &ui);
		if (dry_run && report->changed && !options->json)
			print_diff(report);
		if (ui.nr_warnings)
			code = EXIT_WARNINGS;
	}
	code = options_finish(options, err, code,
			      options->json ? describe(report, dry_run) : NULL);
	attach_report_free(report);
	return code;
}
