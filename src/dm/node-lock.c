/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a process has open can be opened once more, by its place in /proc: that
 * is another open file, of the same node. */
#include "dm/node-lock.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "base/err.h"
#include "base/io.h"
#include "base/name.h"
#include "dm/image-lock.h"

struct search {
	struct stat ours; /* the node that everybody sees */
	bool found;       /* a QEMU that has the device open */
	int *fds;
	size_t nr_fds;
};

static bool is_qemu(const char *pid)
{
	_cleanup_free_ char *path = io_format("/proc/%s/comm", pid);
	_cleanup_free_ char *comm = NULL;

	/* qemu-system-..., or qemu-kvm; what serves the disk is none. */
	return path && io_read_file(path, 64, &comm, NULL, NULL) == 0 &&
	       strncmp(comm, "qemu-", strlen("qemu-")) == 0 &&
	       strcmp(comm, "qemu-nbd\n") != 0;
}

static bool is_locked_already(const struct search *search,
			      const struct stat *node)
{
	struct stat st;

	for (size_t i = 0; i < search->nr_fds; i++)
		if (fstat(search->fds[i], &st) == 0 &&
		    st.st_dev == node->st_dev && st.st_ino == node->st_ino)
			return true;
	return search->ours.st_dev == node->st_dev &&
	       search->ours.st_ino == node->st_ino;
}

static int lock_node(struct search *search, const char *path, struct err *err)
{
	_cleanup_close_ int fd = open(path, O_RDWR | O_CLOEXEC);
	int *fds, r;

	if (fd < 0)
		return fail_errno(err, -errno, "%s", path);
	r = image_lock(fd, path, err);
	if (r < 0)
		return r;
	fds = reallocarray(search->fds, search->nr_fds + 1, sizeof(*fds));
	if (!fds)
		return fail(err, -ENOMEM, "out of memory");
	search->fds = fds;
	search->fds[search->nr_fds++] = TAKE_FD(fd);
	return 0;
}

/* What one process has open; it may end meanwhile. */
static int look_at(struct search *search, const char *pid, struct err *err)
{
	_cleanup_free_ char *directory = io_format("/proc/%s/fd", pid);
	_cleanup_closedir_ DIR *dir = directory ? opendir(directory) : NULL;
	struct dirent *entry;
	int r = 0;

	while (dir && r == 0 && (entry = readdir(dir))) {
		_cleanup_free_ char *path =
			io_format("%s/%s", directory, entry->d_name);
		struct stat st;

		if (!path || stat(path, &st) < 0 || !S_ISBLK(st.st_mode) ||
		    st.st_rdev != search->ours.st_rdev)
			continue;
		search->found = true;
		if (!is_locked_already(search, &st))
			r = lock_node(search, path, err);
	}
	return r;
}

static int look_around(struct search *search, struct err *err)
{
	_cleanup_closedir_ DIR *dir = opendir("/proc");
	struct dirent *entry;
	int r = 0;

	if (!dir)
		return fail_errno(err, -errno, "/proc");
	while (r == 0 && (entry = readdir(dir)))
		if (entry->d_name[0] >= '1' && entry->d_name[0] <= '9' &&
		    is_qemu(entry->d_name))
			r = look_at(search, entry->d_name, err);
	return r;
}

int node_lock_all(const char *name, int **ret_fds, size_t *ret_nr_fds,
		  struct err *err)
{
	_cleanup_free_ char *path = io_format(PLACE_MAPPER "%s", name);
	struct search search = {0};
	int r;

	if (!path)
		return fail(err, -ENOMEM, "out of memory");
	if (stat(path, &search.ours) < 0)
		return fail_errno(err, -errno, "%s", path);
	r = look_around(&search, err);
	*ret_fds = search.fds;
	*ret_nr_fds = search.nr_fds;
	if (r == 0 && !search.found)
		return fail(err, -EAGAIN, "%s: no QEMU has it open", path);
	return r;
}
