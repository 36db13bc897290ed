/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * O_EXCL keeps mounts, swap, md and dm off a device, but does not say who was
 * there first.  A QEMU does not take it, and not all are found by their image
 * locks: libvirt gives each a /dev of its own, and locks belong to the node.
 * So /proc and sysfs are asked.
 *
 * statx() without synchronization: a descriptor of a network filesystem that
 * hangs must not hang us.
 */
#include "dm/holder.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "base/cleanup.h"
#include "base/io.h"

#define MAX_FAMILY \
	260 /* a disk with as many partitions as Linux has, and more */
#define MAX_BYTES (16u << 20)

/* A disk's partitions are parts of it, and it is the whole of each. */
struct family {
	dev_t devs[MAX_FAMILY];
	unsigned int count;
};

static bool is_member(const struct family *family, dev_t dev)
{
	for (unsigned int i = 0; i < family->count; i++)
		if (family->devs[i] == dev)
			return true;
	return false;
}

static void sysfs_path(char path[300], dev_t dev, const char *below)
{
	snprintf(path, 300, "/sys/dev/block/%u:%u/%s", major(dev), minor(dev),
		 below);
}

/* The word in a file of sysfs; "": there is none. */
static void read_word(const char *path, char *word, size_t size)
{
	_cleanup_free_ char *text = NULL;

	word[0] = '\0';
	if (io_read_file(path, 4096, &text, NULL, NULL) == 0)
		snprintf(word, size, "%.*s", (int)strcspn(text, "\n"), text);
}

static void add_member(struct family *family, const char *path)
{
	unsigned int major_nr, minor_nr;
	char word[32];

	read_word(path, word, sizeof(word));
	if (family->count < MAX_FAMILY &&
	    sscanf(word, "%u:%u", &major_nr, &minor_nr) == 2)
		family->devs[family->count++] = makedev(major_nr, minor_nr);
}

static void find_family(dev_t dev, struct family *ret_family)
{
	_cleanup_closedir_ DIR *dir = NULL;
	char path[300], file[600];
	struct dirent *entry;

	*ret_family = (struct family){.devs = {dev}, .count = 1};
	sysfs_path(path, dev, "partition");
	if (access(path, F_OK) == 0) {
		sysfs_path(path, dev, "../dev");
		add_member(ret_family, path);
		return;
	}
	sysfs_path(path, dev, "");
	dir = opendir(path);
	while (dir && (entry = readdir(dir))) {
		snprintf(file, sizeof(file), "%s%s/partition", path,
			 entry->d_name);
		if (access(file, F_OK) < 0)
			continue;
		snprintf(file, sizeof(file), "%s%s/dev", path, entry->d_name);
		add_member(ret_family, file);
	}
}

/* --------------------------------------------------- the kernel's own users */

static bool is_on(const struct family *family, const char *path)
{
	struct stat st;

	return path[0] == '/' && stat(path, &st) == 0 && S_ISBLK(st.st_mode) &&
	       is_member(family, st.st_rdev);
}

/* A filesystem on several devices has a number of its own, and one source. */
static char *find_mount(const struct family *family)
{
	_cleanup_fclose_ FILE *file = fopen("/proc/self/mountinfo", "re");
	_cleanup_free_ char *line = NULL;
	size_t room = 0;

	while (file && getline(&line, &room, file) > 0) {
		char where[256], source[256] = "";
		const char *rest = strstr(line, " - ");
		unsigned int major_nr, minor_nr;

		if (sscanf(line, "%*s %*s %u:%u %*s %255s", &major_nr,
			   &minor_nr, where) != 3)
			continue;
		if (rest)
			(void)sscanf(rest, " - %*s %255s", source);
		if (is_member(family, makedev(major_nr, minor_nr)) ||
		    is_on(family, source))
			return io_format("mounted on %s", where);
	}
	return NULL;
}

static char *find_swap(const struct family *family)
{
	_cleanup_fclose_ FILE *file = fopen("/proc/swaps", "re");
	_cleanup_free_ char *line = NULL;
	size_t room = 0;
	char path[256];

	while (file && getline(&line, &room, file) > 0)
		if (sscanf(line, "%255s", path) == 1 && is_on(family, path))
			return io_format("the host swaps to it");
	return NULL;
}

/* dm, md, bcache and what else is built of block devices. */
static char *find_device_above(dev_t dev)
{
	_cleanup_closedir_ DIR *dir = NULL;
	struct dirent *entry;
	char path[300];

	sysfs_path(path, dev, "holders");
	dir = opendir(path);
	while (dir && (entry = readdir(dir))) {
		char file[600], name[160];

		if (entry->d_name[0] == '.')
			continue;
		snprintf(file, sizeof(file), "%s/%s/dm/name", path,
			 entry->d_name);
		read_word(file, name, sizeof(name));
		return io_format("a part of %s",
				 name[0] ? name : entry->d_name);
	}
	return NULL;
}

/* ------------------------------------------------------------- processes */

/* The descriptor @name of the process's directory @process is open to write. */
static bool is_writable(int process, const char *name)
{
	_cleanup_free_ char *text = NULL;
	unsigned int flags = 0;
	char path[64];
	const char *line;

	snprintf(path, sizeof(path), "/proc/self/fd/%d/fdinfo/%.20s", process,
		 name);
	if (io_read_file(path, MAX_BYTES, &text, NULL, NULL) < 0)
		return false;
	line = strstr(text, "flags:");
	return line && sscanf(line, "flags: %o", &flags) == 1 &&
	       (flags & O_ACCMODE) != O_RDONLY;
}

static bool writes_to(int process, const struct family *family)
{
	int fd = openat(process, "fd", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	_cleanup_closedir_ DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *entry;
	struct statx stx;

	if (!dir && fd >= 0)
		close(fd);
	while (dir && (entry = readdir(dir)))
		if (statx(dirfd(dir), entry->d_name, AT_STATX_DONT_SYNC,
			  STATX_TYPE, &stx) == 0 &&
		    S_ISBLK(stx.stx_mode) &&
		    is_member(family, makedev(stx.stx_rdev_major,
					      stx.stx_rdev_minor)) &&
		    is_writable(process, entry->d_name))
			return true;
	return false;
}

static char *find_process(const struct family *family)
{
	_cleanup_closedir_ DIR *dir = opendir("/proc");
	struct dirent *entry;

	while (dir && (entry = readdir(dir))) {
		_cleanup_close_ int process = -1;
		char path[64], name[64];

		if (strspn(entry->d_name, "0123456789") == 0 ||
		    atol(entry->d_name) == getpid())
			continue;
		process = openat(dirfd(dir), entry->d_name,
				 O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		if (process < 0 || !writes_to(process, family))
			continue;
		snprintf(path, sizeof(path), "/proc/%.20s/comm", entry->d_name);
		read_word(path, name, sizeof(name));
		return io_format("%s (process %s) has it open for writing",
				 name, entry->d_name);
	}
	return NULL;
}

char *holder_find(dev_t dev)
{
	struct family family;
	char *text;

	find_family(dev, &family);
	text = find_mount(&family);
	if (!text)
		text = find_swap(&family);
	for (unsigned int i = 0; i < family.count && !text; i++)
		text = find_device_above(family.devs[i]);
	if (!text)
		text = find_process(&family);
	return text;
}
