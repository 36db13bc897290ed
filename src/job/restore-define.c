/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The connection to libvirt is not kept over the hours that a restore may
 * take: the name is looked up before, and libvirt refuses a taken one after.
 */
#include "job/restore-define.h"

#include <string.h>

#include "base/cleanup.h"
#include "base/err.h"
#include "job/restore.h"
#include "repo/manifest.h"
#include "vm/domain-xml.h"
#include "vm/host.h"

/* -EEXIST: there is such a domain. */
static int check_free(struct vm_host *host, const char *name, struct err *err)
{
	_cleanup_vm_dom_ struct vm_dom *dom = NULL;
	struct err ignored = {0};
	int r = vm_dom_find(host, name, &dom, &ignored);

	if (r == -ENOENT)
		return 0;
	if (r < 0)
		return fail(err, r, "%s", ignored.text);
	return fail(err, -EEXIST,
		    "there is a domain %s already; give --define another name",
		    name);
}

int restore_define_check(const struct restore_request *request, struct err *err)
{
	_cleanup_vm_host_ struct vm_host *host = NULL;
	int r = vm_host_open(request->connect, &host, err);

	return r < 0 ? r : check_free(host, request->define, err);
}

static int define(const struct restore_request *request, const char *xml,
		  struct err *err)
{
	_cleanup_vm_host_ struct vm_host *host = NULL;
	int r = vm_host_open(request->connect, &host, err);

	if (r == 0)
		r = check_free(host, request->define, err);
	return r < 0 ? r : vm_host_define(host, xml, err);
}

int restore_define(const struct restore_request *request,
		   const struct manifest *manifest,
		   struct restore_report *report, struct err *err)
{
	_cleanup_free_ struct vm_restored_disk *disks =
		calloc(report->nr_disks + 1, sizeof(*disks));
	_cleanup_free_ char *xml = NULL;
	struct vm_restored restored = {.name = request->define,
				       .nvram = report->nvram,
				       .disks = disks,
				       .nr_disks = report->nr_disks};
	int r;

	if (!disks)
		return fail(err, -ENOMEM, "out of memory");
	for (size_t i = 0; i < report->nr_disks; i++)
		disks[i] = (struct vm_restored_disk){
			.target = report->disks[i].target,
			.path = report->disks[i].path,
			.format = report->disks[i].format,
			.block = report->disks[i].device};
	r = vm_xml_restored(manifest->domain_xml, &restored, &xml, err);
	if (r == 0)
		r = define(request, xml, err);
	if (r < 0) {
		err_prefix(err, "the disks are restored, but %s is not defined",
			   request->define);
		return r;
	}
	report->defined = true;
	return 0;
}
