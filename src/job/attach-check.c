/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Two domains on one disk destroy it, and a tracker in front of one of them
 * would not see the other's writes.  Two paths are the same disk if they lead
 * to one device number, or to one inode.
 */
#include "job/attach-check.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "base/err.h"
#include "base/io.h"
#include "vm/domain-xml.h"
#include "vm/host.h"

#define SECTOR_BYTES 512

int attach_check_domain(struct vm_dom *dom, const struct vm_dom_state *state,
			struct err *err)
{
	const char *name = vm_dom_name(dom);

	if (!state->persistent)
		return fail(err, -EOPNOTSUPP,
			    "%s: a transient domain: nothing outlives its run; "
			    "make it persistent with 'virsh define'",
			    name);
	if (state->saved)
		return fail(err, -EOPNOTSUPP,
			    "%s: it has a managed save image, which names its "
			    "disks as they are; start it, or drop the image "
			    "with 'virsh managedsave-remove'",
			    name);
	return 0;
}

static bool is_same(const struct stat *a, const struct stat *b)
{
	if (S_ISBLK(a->st_mode) || S_ISBLK(b->st_mode))
		return S_ISBLK(a->st_mode) && S_ISBLK(b->st_mode) &&
		       a->st_rdev == b->st_rdev;
	return a->st_dev == b->st_dev && a->st_ino == b->st_ino;
}

/* The disk of @domain, but @except, that stands on @file. */
static const struct vm_disk *find_user(const struct vm_domain *domain,
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

/* One of our devices, whatever name it is reached by. */
static bool is_ours(const struct stat *st)
{
	_cleanup_free_ char *path = NULL, *uuid = NULL;

	if (!S_ISBLK(st->st_mode))
		return false;
	path = io_format("/sys/dev/block/%u:%u/dm/uuid", major(st->st_rdev),
			 minor(st->st_rdev));
	return path && io_read_file(path, 4096, &uuid, NULL, NULL) == 0 &&
	       strncmp(uuid, "DSYNC-", strlen("DSYNC-")) == 0;
}

/* Why @path can not be tracked, in a new string; NULL: it can. */
static char *look_at(const char *path, struct stat *ret_st)
{
	_cleanup_close_ int fd = -1;
	uint64_t size_bytes;

	if (stat(path, ret_st) < 0)
		return io_format("%s: %s", path, strerror(errno));
	if (!S_ISBLK(ret_st->st_mode) && !S_ISREG(ret_st->st_mode))
		return io_format("%s is neither a block device nor a file",
				 path);
	if (is_ours(ret_st))
		return io_format("%s is a device of dsync-vm itself", path);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || io_size_bytes(fd, &size_bytes) < 0)
		return io_format("%s: %s", path, strerror(errno));
	if (size_bytes == 0 || size_bytes % SECTOR_BYTES)
		return io_format("%s: its size, %" PRIu64 " bytes, is not a "
				 "multiple of 512; round it up with 'truncate "
				 "-s %%512'",
				 path, size_bytes);
	return NULL;
}

static bool is_name_taken(const char *name, struct vm_domain *const *others)
{
	for (; *others; others++)
		for (size_t i = 0; i < (*others)->nr_disks; i++)
			if (strcmp((*others)->disks[i].name, name) == 0)
				return true;
	return false;
}

/*
 * A renamed domain keeps its devices' names, so a new domain of its old name
 * may find them taken: then its uuid serves.
 */
static int name_disk(const struct vm_domain *domain, struct vm_disk *disk,
		     struct vm_domain *const *others, struct err *err)
{
	int r = disk_name(disk->name, domain->name, domain->uuid, disk->target,
			  err);

	if (r == 0 && is_name_taken(disk->name, others))
		r = disk_name(disk->name, "", domain->uuid, disk->target, err);
	return r;
}

static int check_disk(struct vm_domain *domain, struct vm_disk *disk,
		      struct vm_domain *const *others, struct err *err)
{
	const struct vm_disk *user;
	struct stat st;

	disk->reason = look_at(disk->path, &st);
	if (disk->reason)
		return 0;
	user = find_user(domain, disk, &st);
	if (user)
		disk->reason = io_format("%s is its disk %s, too", disk->path,
					 user->target);
	for (struct vm_domain *const *other = others; *other && !user; other++)
		if (!disk->reason && find_user(*other, NULL, &st))
			disk->reason = io_format(
				"%s is a disk of domain %s, too; two domains "
				"must not write to one disk",
				disk->path, (*other)->name);
	return disk->reason ? 0 : name_disk(domain, disk, others, err);
}

static void free_domains(struct vm_domain **domains)
{
	for (struct vm_domain **domain = domains; *domain; domain++)
		vm_domain_free(*domain);
	free(domains);
}
DEFINE_CLEANUP(struct vm_domain **, free_domains);

/*
 * All other domains, as they run and as they will. One that cannot be read
 * (it is being undefined, say) is left out.
 */
static int read_others(struct vm_host *host, const char *uuid,
		       struct vm_domain ***ret_others, struct err *err)
{
	_cleanup_(cleanup_free_domains) struct vm_domain **others = NULL;
	_cleanup_vm_dom_list_ struct vm_dom **doms = NULL;
	size_t count = 0, used = 0;
	int r = vm_dom_list(host, &doms, err);

	if (r < 0)
		return r;
	while (doms[count])
		count++;
	others = calloc(count * 2 + 1, sizeof(*others));
	if (!others)
		return fail(err, -ENOMEM, "out of memory");
	for (size_t i = 0; i < count; i++) {
		if (strcmp(vm_dom_uuid(doms[i]), uuid) == 0)
			continue;
		if (vm_dom_read(host, doms[i], VM_XML_NOW, &others[used],
				NULL) == 0)
			used++;
		if (vm_dom_read(host, doms[i], VM_XML_NEXT, &others[used],
				NULL) == 0)
			used++;
	}
	*ret_others = TAKE_PTR(others);
	return 0;
}

int attach_check_disks(struct vm_host *host, struct vm_domain *domain,
		       struct err *err)
{
	_cleanup_(cleanup_free_domains) struct vm_domain **others = NULL;
	int r = read_others(host, domain->uuid, &others, err);

	for (size_t i = 0; i < domain->nr_disks && r == 0; i++) {
		struct vm_disk *disk = &domain->disks[i];

		if (!disk->reason && !disk->tracked)
			r = check_disk(domain, disk, others, err);
	}
	return r;
}
