/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One loop over the pipes of all children: what they say is passed on as it
 * comes, and each that ends makes room for the next.
 */
#include "job/all.h"

#include <poll.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/io.h"
#include "base/name.h"
#include "dm/handover.h"
#include "job/child.h"
#include "job/interrupt.h"
#include "job/ui.h"
#include "repo/json.h"
#include "vm/domain-xml.h"
#include "vm/host.h"

#define LOOK_AGAIN_MS 200 /* at a signal that came before poll(2) */
#define MAX_ARGUMENTS 32

struct job {
	struct all_domain *domain; /* NULL: free */
	struct child child;
	uint64_t began_ms;
};

struct all {
	const struct all_request *request;
	struct all_report *report;
	struct ui *ui;
	struct job jobs[ALL_MAX_JOBS];
	size_t next; /* domain to begin with */
	bool stopping;
	uint64_t began_ms;
};

enum exit_code all_worse(enum exit_code a, enum exit_code b)
{
	static const enum exit_code worst_first[] = {
		EXIT_FAILED,      EXIT_MISMATCH, EXIT_WRONG_TARGET,
		EXIT_UNSUPPORTED, EXIT_USAGE,    EXIT_BUSY,
		EXIT_RESYNCED,    EXIT_WARNINGS, EXIT_OK,
	};

	for (size_t i = 0; i < sizeof(worst_first) / sizeof(*worst_first); i++)
		if (a == worst_first[i] || b == worst_first[i])
			return worst_first[i];
	return EXIT_FAILED;
}

/* ----------------------------------------------------------------- domains */

static int by_name(const void *a, const void *b)
{
	return strcmp(((const struct all_domain *)a)->name,
		      ((const struct all_domain *)b)->name);
}

static int add_domain(struct all *all, const char *name, struct err *err)
{
	struct all_report *report = all->report;
	struct all_domain *domains = reallocarray(
		report->domains, report->nr_domains + 1, sizeof(*domains));

	if (!domains)
		return fail(err, -ENOMEM, "out of memory");
	report->domains = domains;
	domains[report->nr_domains] = (struct all_domain){.name = strdup(name)};
	if (!domains[report->nr_domains].name)
		return fail(err, -ENOMEM, "out of memory");
	report->nr_domains++;
	return 0;
}

/* What it left behind here is not what it works with. */
static bool is_elsewhere(const struct all *all, const struct vm_domain *domain)
{
	_cleanup_free_ char *state_dir =
		io_format(PLACE_STATE "/%s", domain->uuid);
	_cleanup_handover_ struct handover handover = {0};

	if (!state_dir || handover_read(state_dir, &handover, NULL) < 0 ||
	    !handover.uri)
		return false;
	ui_note(all->ui, "%s: was handed over to %s, where its backups go on",
		domain->name, handover.uri);
	return true;
}

static int look_at(struct all *all, struct vm_host *host, struct vm_dom *dom,
		   struct err *err)
{
	_cleanup_vm_domain_ struct vm_domain *now = NULL, *next = NULL;
	struct vm_dom_state state;
	int r = vm_dom_state(dom, &state, err);

	if (r == 0)
		r = vm_dom_read(host, dom, VM_XML_NOW, &now, err);
	if (r < 0)
		return r;
	if (now->nr_tracked && !state.active && is_elsewhere(all, now))
		return 0;
	if (now->nr_tracked)
		return add_domain(all, now->name, err);
	if (state.active && state.persistent)
		r = vm_dom_read(host, dom, VM_XML_NEXT, &next, err);
	if (r == 0 && next && next->nr_tracked)
		ui_warn(all->ui,
			"%s: is attached, which takes effect at its next "
			"start: not backed up",
			now->name);
	return r;
}

static int find_domains(struct all *all, struct err *err)
{
	_cleanup_vm_host_ struct vm_host *host = NULL;
	_cleanup_vm_dom_list_ struct vm_dom **doms = NULL;
	int r = vm_host_open(all->request->connect, &host, err);

	if (r == 0)
		r = vm_dom_list(host, &doms, err);
	for (size_t i = 0; r == 0 && doms[i]; i++)
		r = look_at(all, host, doms[i], err);
	if (r < 0)
		return r;
	if (!all->report->nr_domains)
		return fail(err, -ENOENT,
			    "no domain is attached; 'dsync-vm attach DOMAIN' "
			    "does it");
	qsort(all->report->domains, all->report->nr_domains,
	      sizeof(*all->report->domains), by_name);
	return 0;
}

/* -------------------------------------------------------------------- jobs */

static int start(struct all *all, struct job *job, struct err *err)
{
	const struct all_request *request = all->request;
	const char *argv[MAX_ARGUMENTS] = {"dsync-vm", "backup",
					   "--output=json"};
	size_t count = 3;

	if (all->ui->quiet)
		argv[count++] = "--quiet";
	else if (all->ui->progress)
		argv[count++] = "--progress";
	if (request->connect) {
		argv[count++] = "--connect";
		argv[count++] = request->connect;
	}
	for (size_t i = 0; request->options[i]; i++)
		argv[count++] = request->options[i];
	argv[count++] = "--";
	argv[count++] = job->domain->name;
	argv[count++] = request->target;
	job->began_ms = ui_now_ms();
	return child_start(&job->child, job->domain->name, argv, err);
}

/* Its report, which it printed whole or not at all. */
static void take_report(struct all_domain *domain, const struct child *child)
{
	const struct json_object *disks, *disk;
	const char *point = NULL, *error = NULL;
	uint64_t blocks, block_bytes, sent_bytes;
	size_t nr_disks = 0;

	if (json_parse(child->text, child->size, &domain->report, NULL) < 0)
		return;
	(void)json_get_string_or_null(domain->report, "point", &point, NULL);
	(void)json_get_string_or_null(domain->report, "error", &error, NULL);
	snprintf(domain->point, sizeof(domain->point), "%s",
		 point ? point : "");
	if (error)
		snprintf(domain->error, sizeof(domain->error), "%s", error);
	if (!point || json_get_array(domain->report, "disks", SIZE_MAX, &disks,
				     &nr_disks, NULL) < 0)
		return;
	for (size_t i = 0; i < nr_disks; i++)
		if (json_get_item(disks, i, &disk, NULL) == 0 &&
		    json_get_uint(disk, "blocks", INT64_MAX, &blocks, NULL) ==
			    0 &&
		    json_get_uint(disk, "block_bytes", UINT32_MAX, &block_bytes,
				  NULL) == 0 &&
		    json_get_uint(disk, "sent_bytes", INT64_MAX, &sent_bytes,
				  NULL) == 0) {
			domain->changed_bytes += blocks * block_bytes;
			domain->sent_bytes += sent_bytes;
		}
}

static void end(struct all *all, struct job *job)
{
	struct all_domain *domain = job->domain;

	domain->code = child_end(&job->child);
	domain->spent_ms = ui_now_ms() - job->began_ms;
	domain->done = true;
	take_report(domain, &job->child);
	if (domain->code != EXIT_OK && !domain->error[0] && !domain->point[0])
		snprintf(domain->error, sizeof(domain->error), "%s",
			 job->child.last[0] ? job->child.last
					    : "ended without a word");
	all->report->code = all_worse(all->report->code, domain->code);
	child_clear(&job->child);
	job->domain = NULL;
}

static void begin_next(struct all *all, struct job *job)
{
	struct err err = {0};

	job->domain = &all->report->domains[all->next++];
	job->domain->begun = true;
	if (start(all, job, &err) == 0)
		return;
	job->domain->code = EXIT_FAILED;
	memcpy(job->domain->error, err.text, sizeof(job->domain->error));
	all->report->code = EXIT_FAILED;
	child_clear(&job->child);
	job->domain = NULL;
}

/* -------------------------------------------------------------------- loop */

static void draw(struct all *all)
{
	char text[ALL_MAX_JOBS + 1][512], spent[32];
	const char *lines[ALL_MAX_JOBS + 1];
	size_t nr_lines = 1, nr_done = 0, nr_failed = 0;

	for (size_t i = 0; i < all->request->jobs; i++) {
		const struct job *job = &all->jobs[i];

		if (!job->domain)
			continue;
		lines[nr_lines] = text[nr_lines];
		snprintf(text[nr_lines++], sizeof(text[0]), "  %s  %s",
			 job->domain->name, job->child.drawn);
	}
	for (size_t i = 0; i < all->next; i++) {
		const struct all_domain *domain = &all->report->domains[i];

		nr_done += domain->done;
		nr_failed += domain->error[0] != '\0';
	}
	snprintf(text[0], sizeof(text[0]), "%zu of %zu domains, %zu failed, %s",
		 nr_done, all->report->nr_domains, nr_failed,
		 ui_duration(spent, (ui_now_ms() - all->began_ms) / 1000));
	lines[0] = text[0];
	ui_draw(all->ui, lines, nr_lines);
}

static void stop_all(struct all *all)
{
	for (size_t i = 0; i < all->request->jobs; i++)
		if (all->jobs[i].domain)
			child_stop(&all->jobs[i].child);
	all->stopping = true;
}

/* True: something is under way. */
static bool keep_busy(struct all *all)
{
	bool busy = false;

	for (size_t i = 0; i < all->request->jobs; i++) {
		struct job *job = &all->jobs[i];

		while (!job->domain && !all->stopping &&
		       all->next < all->report->nr_domains)
			begin_next(all, job);
		busy |= job->domain != NULL;
	}
	return busy;
}

/* Takes what has come from any of them, and ends those that are through. */
static void listen(struct all *all)
{
	struct pollfd pollers[2 * ALL_MAX_JOBS];
	size_t nr_jobs = all->request->jobs;

	for (size_t i = 0; i < nr_jobs; i++) {
		const struct job *job = &all->jobs[i];
		bool free_job = !job->domain;

		pollers[2 * i] = (struct pollfd){
			.fd = free_job ? -1 : job->child.report_fd,
			.events = POLLIN};
		pollers[2 * i + 1] = (struct pollfd){
			.fd = free_job ? -1 : job->child.words_fd,
			.events = POLLIN};
	}
	if (poll(pollers, 2 * nr_jobs, LOOK_AGAIN_MS) <= 0)
		return;
	for (size_t i = 0; i < 2 * nr_jobs; i++)
		if (pollers[i].revents)
			child_read(&all->jobs[i / 2].child, pollers[i].fd,
				   all->ui);
	for (size_t i = 0; i < nr_jobs; i++)
		if (all->jobs[i].domain && all->jobs[i].child.report_fd < 0 &&
		    all->jobs[i].child.words_fd < 0)
			end(all, &all->jobs[i]);
}

int all_run(const struct all_request *request, struct all_report *ret_report,
	    struct ui *ui, struct err *err)
{
	struct all all = {.request = request, .report = ret_report, .ui = ui};
	const volatile sig_atomic_t *interrupted = interrupt_catch();
	int r;

	all.began_ms = ui_now_ms();
	*ret_report = (struct all_report){0};
	r = find_domains(&all, err);
	if (r < 0)
		return r;
	if (ui->nr_warnings)
		ret_report->code = EXIT_WARNINGS;
	while (keep_busy(&all)) {
		draw(&all);
		listen(&all);
		if (*interrupted && !all.stopping)
			stop_all(&all);
	}
	ui_progress_end(ui);
	ret_report->spent_ms = ui_now_ms() - all.began_ms;
	return all.stopping ? fail(err, -EINTR, "interrupted") : 0;
}

void all_report_free(struct all_report *report)
{
	for (size_t i = 0; i < report->nr_domains; i++) {
		free(report->domains[i].name);
		json_free(report->domains[i].report);
	}
	free(report->domains);
}
