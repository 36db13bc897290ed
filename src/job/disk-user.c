/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Two paths are the same disk if they lead to one device number, or to one
 * inode.
 */
#include "job/disk-user.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/err.h"
#include "vm/domain-xml.h"
#include "vm/host.h"

static bool is_same(const struct stat *a, const struct stat *b)
{
	if (S_ISBLK(a->st_mode) || S_ISBLK(b->st_mode))
		return S_ISBLK(a->st_mode) && S_ISBLK(b->st_mode) &&
		       a->st_rdev == b->st_rdev;
	return a->st_dev == b->st_dev && a->st_ino == b->st_ino;
}

const struct vm_disk *disk_user_find(const struct vm_domain *domain,
				     const struct vm_disk *except,
				     const struct stat *file)
{
	for (size_t i = 0; i < domain->nr_disks; i++) {
		const struct vm_disk *disk = &domain->disks[i];
		const char *path = disk->tracked ? disk->original_path
						 : disk->path;
		struct stat st;

		if (disk != except && path && stat(path, &st) == 0 &&
		    is_same(&st, file))
			return disk;
	}
	return NULL;
}

void disk_users_free(struct vm_domain **domains)
{
	for (struct vm_domain **domain = domains; *domain; domain++)
		vm_domain_free(*domain);
	free(domains);
}
int disk_users_read(struct vm_host *host, const char *uuid,
		    struct vm_domain ***ret_domains, struct err *err)
{
	_cleanup_disk_users_ struct vm_domain **domains = NULL;
	_cleanup_vm_dom_list_ struct vm_dom **doms = NULL;
	size_t count = 0, used = 0;
	int r = vm_dom_list(host, &doms, err);

	if (r < 0)
		return r;
	while (doms[count])
		count++;
	domains = calloc(count * 2 + 1, sizeof(*domains));
	if (!domains)
		return fail(err, -ENOMEM, "out of memory");
	for (size_t i = 0; i < count; i++) {
		if (strcmp(vm_dom_uuid(doms[i]), uuid) == 0)
			continue;
		if (vm_dom_read(host, doms[i], VM_XML_NOW, &domains[used],
				NULL) == 0)
			used++;
		if (vm_dom_read(host, doms[i], VM_XML_NEXT, &domains[used],
				NULL) == 0)
			used++;
	}
	*ret_domains = TAKE_PTR(domains);
	return 0;
}
