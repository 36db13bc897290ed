/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The copy of the originals is durable before the definition changes: whoever
 * finds our device in a domain's XML finds what it stands for, too.
 */
#include "job/attach.h"

#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/err.h"
#include "dm/meta-file.h"
#include "job/attach-check.h"
#include "vm/domain-xml.h"
#include "vm/host.h"
#include "vm/record.h"

void attach_report_free(struct attach_report *report)
{
	free(report->domain);
	free(report->before);
	free(report->after);
	free(report->disks);
	*report = (struct attach_report){0};
}

/* Everything that was asked for must be there and be possible. */
static int select_asked(const struct attach_request *request,
			struct vm_domain *domain, struct err *err)
{
	for (size_t i = 0; i < request->nr_targets; i++) {
		const char *target = request->targets[i];
		struct vm_disk *disk = vm_domain_disk(domain, target);

		if (!disk)
			return fail(
				err, -ENOENT,
				"%s: it has no disk '%s'; 'virsh domblklist "
				"%s' shows its disks",
				domain->name, target, domain->name);
		if (disk->reason)
			return fail(err, -EOPNOTSUPP, "%s: %s: %s",
				    domain->name, target, disk->reason);
		disk->selected = !disk->tracked;
	}
	return 0;
}

static int select_possible(struct vm_domain *domain, struct err *err)
{
	size_t nr_selected = 0;

	for (size_t i = 0; i < domain->nr_disks; i++) {
		struct vm_disk *disk = &domain->disks[i];

		disk->selected = !disk->tracked && !disk->reason;
		nr_selected += disk->selected;
	}
	if (nr_selected || domain->nr_tracked)
		return 0;
	if (!domain->nr_disks)
		return fail(err, -EOPNOTSUPP, "%s: it has no disks",
			    domain->name);
	return fail(err, -EOPNOTSUPP, "%s: no disk that can be tracked: %s: %s",
		    domain->name, domain->disks[0].target,
		    domain->disks[0].reason);
}

static void describe_disk(const struct vm_disk *disk, bool all,
			  struct attach_disk *to)
{
	const char *path = disk->tracked ? disk->original_path : disk->path;

	snprintf(to->target, sizeof(to->target), "%s", disk->target);
	snprintf(to->path, sizeof(to->path), "%s", path ? path : "");
	to->expected = strcmp(disk->device, "disk") != 0 || disk->readonly;
	if (disk->tracked) {
		to->action = ATTACH_ALREADY;
		memcpy(to->name, disk->name, sizeof(to->name));
		return;
	}
	if (!disk->selected) {
		to->action = ATTACH_LEFT;
		snprintf(to->reason, sizeof(to->reason), "%s",
			 all ? disk->reason : "not asked for");
		to->expected |= !all;
		return;
	}
	to->action = ATTACH_DONE;
	memcpy(to->name, disk->name, sizeof(to->name));
}

/* A configuration that is not understood is an error here, not at the start. */
static int find_metadata(const struct vm_domain *domain, struct attach_disk *to,
			 struct err *err)
{
	_cleanup_meta_place_ struct meta_place place = {0};
	int r = meta_place_find(domain->name, domain->uuid, to->target, &place,
				err);

	if (r == 0)
		snprintf(to->metadata, sizeof(to->metadata), "%s", place.path);
	return r;
}

static int describe(const struct vm_domain *domain, bool all,
		    struct attach_report *report, struct err *err)
{
	report->domain = strdup(domain->name);
	report->disks = calloc(domain->nr_disks + 1, sizeof(*report->disks));
	if (!report->domain || !report->disks)
		return fail(err, -ENOMEM, "out of memory");
	for (size_t i = 0; i < domain->nr_disks; i++) {
		struct attach_disk *disk = &report->disks[report->nr_disks++];

		int r;

		describe_disk(&domain->disks[i], all, disk);
		report->changed |= disk->action == ATTACH_DONE;
		r = disk->action == ATTACH_LEFT
			    ? 0
			    : find_metadata(domain, disk, err);
		if (r < 0)
			return r;
	}
	return 0;
}

static int choose(const struct attach_request *request, struct vm_host *host,
		  const char *xml, struct vm_domain **ret_domain,
		  struct err *err)
{
	_cleanup_vm_domain_ struct vm_domain *domain = NULL;
	int r = vm_domain_parse(xml, &domain, err);

	if (r == 0)
		r = vm_host_resolve(host, domain, err);
	if (r == 0)
		r = attach_check_disks(host, domain, err);
	if (r == 0)
		r = request->nr_targets ? select_asked(request, domain, err)
					: select_possible(domain, err);
	if (r == 0)
		*ret_domain = TAKE_PTR(domain);
	return r;
}

static int attach(const struct attach_request *request, struct vm_host *host,
		  struct vm_dom *dom, struct attach_report *report,
		  struct err *err)
{
	_cleanup_vm_domain_ struct vm_domain *domain = NULL;
	_cleanup_free_ char *xml = NULL;
	int r = vm_dom_xml(dom, VM_XML_NEXT, &xml, err);

	if (r == 0)
		r = vm_record_recover(&xml, err);
	if (r == 0)
		r = choose(request, host, xml, &domain, err);
	if (r == 0)
		r = describe(domain, !request->nr_targets, report, err);
	if (r < 0 || !report->changed)
		return r;
	r = vm_xml_normal(xml, &report->before, err);
	if (r == 0)
		r = vm_xml_attach(xml, domain, &report->after, err);
	if (r < 0 || request->dry_run)
		return r;
	r = vm_record_save(domain->uuid, report->after, err);
	return r < 0 ? r : vm_host_define(host, report->after, err);
}

int attach_run(const struct attach_request *request,
	       struct attach_report *ret_report, struct err *err)
{
	_cleanup_vm_host_ struct vm_host *host = NULL;
	_cleanup_vm_dom_ struct vm_dom *dom = NULL;
	struct vm_dom_state state;
	int r = vm_host_open(request->connect, &host, err);

	*ret_report = (struct attach_report){0};
	if (r == 0)
		r = vm_dom_find(host, request->domain, &dom, err);
	if (r == 0)
		r = vm_dom_state(dom, &state, err);
	if (r == 0)
		r = attach_check_domain(dom, &state, err);
	if (r < 0)
		return r;
	ret_report->running = state.active;
	return attach(request, host, dom, ret_report, err);
}
