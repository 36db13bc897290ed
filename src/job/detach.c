/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The definition changes first, the devices go afterwards: if the second half
 * fails, the domain starts on its own disks all the same, and a device that
 * nobody opens is in nobody's way.  Before either, what is known of the disks
 * stops being believed.
 */
#include "job/attach.h"

#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/err.h"
#include "base/io.h"
#include "dm/stack.h"
#include "dm/trust.h"
#include "dm/use.h"
#include "job/attach-check.h"
#include "vm/domain-xml.h"
#include "vm/host.h"
#include "vm/record.h"

/* A QEMU that was started before attach does not use our devices. */
static int check_not_used(struct vm_host *host, struct vm_dom *dom,
			  struct err *err)
{
	_cleanup_vm_domain_ struct vm_domain *now = NULL;
	int r = vm_dom_read(host, dom, VM_XML_NOW, &now, err);

	if (r < 0)
		return r;
	for (size_t i = 0; i < now->nr_disks; i++)
		if (now->disks[i].name[0])
			return fail(err, -EBUSY,
				    "%s: it is running on %s; shut it down "
				    "first",
				    now->name, now->disks[i].name);
	return 0;
}

static int describe(const char *xml, struct attach_report *report,
		    struct err *err)
{
	_cleanup_vm_domain_ struct vm_domain *domain = NULL;
	int r = vm_domain_parse(xml, &domain, err);

	if (r < 0)
		return r;
	report->domain = strdup(domain->name);
	report->disks = calloc(domain->nr_disks + 1, sizeof(*report->disks));
	if (!report->domain || !report->disks)
		return fail(err, -ENOMEM, "out of memory");
	for (size_t i = 0; i < domain->nr_disks; i++) {
		const struct vm_disk *disk = &domain->disks[i];
		struct attach_disk *to = &report->disks[report->nr_disks];

		if (!disk->tracked)
			continue;
		snprintf(to->target, sizeof(to->target), "%s", disk->target);
		snprintf(to->path, sizeof(to->path), "%s", disk->original_path);
		memcpy(to->name, disk->name, sizeof(to->name));
		report->nr_disks++;
	}
	return 0;
}

/* From here on the disks are written to without us. */
static int distrust(const char *state_dir, struct err *err)
{
	unsigned int count;

	return trust_forget_others(state_dir, NULL, 0, &count, err);
}

/* Devices of the admin's are left as they are. */
static int remove_files(const char *state_dir, struct err *err)
{
	static const char *const names[] = {"meta", "hold"};
	int r = 0;

	for (size_t i = 0; i < sizeof(names) / sizeof(*names) && r == 0; i++) {
		_cleanup_free_ char *directory =
			io_format("%s/%s", state_dir, names[i]);

		r = directory ? io_remove_dir(directory, err)
			      : fail(err, -ENOMEM, "out of memory");
	}
	return r;
}

/* With stack.lock held: the definition, then the devices, then the copy. */
static int give_back(struct vm_host *host, const char *uuid,
		     const struct attach_report *report, struct err *err)
{
	_cleanup_free_ char *state_dir = io_format(PLACE_STATE "/%s", uuid);
	int r = use_leave(uuid, -1, err);

	if (!state_dir)
		return fail(err, -ENOMEM, "out of memory");
	if (r == 0)
		return fail(err, -EBUSY,
			    "%s: a backup is reading its disks, or it is being "
			    "started",
			    report->domain);
	if (r > 0)
		r = distrust(state_dir, err);
	if (r == 0)
		r = vm_host_define(host, report->after, err);
	if (r == 0)
		r = stack_remove_domain(uuid, err);
	if (r == 0)
		r = remove_files(state_dir, err);
	return r < 0 ? r : vm_record_forget(uuid, err);
}

static int detach(const struct attach_request *request, struct vm_host *host,
		  struct vm_dom *dom, struct attach_report *report,
		  struct err *err)
{
	const char *uuid = vm_dom_uuid(dom);
	_cleanup_close_ int lock = -1;
	_cleanup_free_ char *xml = NULL;
	int r = vm_dom_xml(dom, VM_XML_NEXT, &xml, err);

	if (r == 0)
		r = vm_xml_normal(xml, &report->before, err);
	if (r == 0)
		r = vm_record_recover(&xml, err);
	if (r == 0)
		r = vm_xml_detach(xml, &report->after, err);
	if (r == 0)
		r = describe(xml, report, err);
	report->changed = r == 0;
	if (r < 0 || request->dry_run)
		return r;
	lock = use_lock(uuid, USE_LOCK_WAIT_MS, err);
	if (lock < 0)
		return lock;
	return give_back(host, uuid, report, err);
}

int detach_run(const struct attach_request *request,
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
	if (r == 0 && state.active)
		r = check_not_used(host, dom, err);
	if (r < 0)
		return r;
	ret_report->running = state.active;
	return detach(request, host, dom, ret_report, err);
}
