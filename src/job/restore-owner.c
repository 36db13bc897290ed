/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A device that nobody has open may be the disk of a domain that is stopped.
 * Its own domain's may be overwritten, that is what restoring is for; but not
 * behind the back of a tracker, which notices such a write only up to the next
 * boot.
 *
 * A host without libvirt has no domains: it is no reason to fail.
 */
#include "job/restore-owner.h"

#include <string.h>
#include <sys/stat.h>

#include "base/err.h"
#include "job/disk-user.h"
#include "job/restore.h"
#include "job/ui.h"
#include "vm/domain-xml.h"
#include "vm/host.h"

static int check_owner(const struct vm_domain *domain, const char *uuid,
		       const char *path, struct err *err)
{
	const struct vm_disk *disk;
	struct stat st;

	if (stat(path, &st) < 0)
		return fail_errno(err, -errno, "%s", path);
	disk = disk_user_find(domain, NULL, &st);
	if (!disk)
		return 0;
	if (strcmp(domain->uuid, uuid) != 0)
		return fail(err, -EBUSY,
			    "%s: in use: it is the disk %s of the domain %s",
			    path, disk->target, domain->name);
	if (disk->tracked)
		return fail(err, -EBUSY,
			    "%s: in use: it is the disk %s of %s and tracked; "
			    "restore it with --in-place",
			    path, disk->target, domain->name);
	return 0;
}

static bool has_device(const struct restore_report *report)
{
	for (size_t i = 0; i < report->nr_disks; i++)
		if (report->disks[i].device)
			return true;
	return false;
}

int restore_check_owners(const char *connect, const char *uuid,
			 const struct restore_report *report, struct ui *ui,
			 struct err *err)
{
	_cleanup_disk_users_ struct vm_domain **domains = NULL;
	_cleanup_vm_host_ struct vm_host *host = NULL;
	struct err why = {0};
	int r = 0;

	if (!has_device(report))
		return 0;
	if (vm_host_open(connect, &host, &why) < 0) {
		ui_note(ui, "no domain was asked whether it has this disk: %s",
			why.text);
		return 0;
	}
	r = disk_users_read(host, "", &domains, err);
	for (size_t i = 0; i < report->nr_disks && r == 0; i++)
		for (size_t j = 0; domains[j] && r == 0; j++)
			if (report->disks[i].device)
				r = check_owner(domains[j], uuid,
						report->disks[i].path, err);
	return r;
}
