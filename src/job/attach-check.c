/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Two domains on one disk destroy it, and a tracker in front of one of them
 * would not see the other's writes.
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
#include "job/disk-user.h"
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
	user = disk_user_find(domain, disk, &st);
	if (user)
		disk->reason = io_format("%s is its disk %s, too", disk->path,
					 user->target);
	for (struct vm_domain *const *other = others; *other && !user; other++)
		if (!disk->reason && disk_user_find(*other, NULL, &st))
			disk->reason = io_format(
				"%s is a disk of domain %s, too; two domains "
				"must not write to one disk",
				disk->path, (*other)->name);
	return disk->reason ? 0 : name_disk(domain, disk, others, err);
}

int attach_check_disks(struct vm_host *host, struct vm_domain *domain,
		       struct err *err)
{
	_cleanup_disk_users_ struct vm_domain **others = NULL;
	int r = disk_users_read(host, domain->uuid, &others, err);

	for (size_t i = 0; i < domain->nr_disks && r == 0; i++) {
		struct vm_disk *disk = &domain->disks[i];

		if (!disk->reason && !disk->tracked)
			r = check_disk(domain, disk, others, err);
	}
	return r;
}
