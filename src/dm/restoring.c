/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What cannot be read counts as marked: there is no harm in asking. */
#include "dm/restoring.h"

#include <dirent.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/err.h"
#include "base/io.h"

#define DIRECTORY "%s/restoring"
#define MAX_BYTES 16384

int restoring_begin(const char *state_dir, const char *target,
		    const char *command, struct err *err)
{
	_cleanup_free_ char *directory = io_format(DIRECTORY, state_dir);
	_cleanup_free_ char *path =
		io_format(DIRECTORY "/%s", state_dir, target);
	int r;

	if (!directory || !path)
		return fail(err, -ENOMEM, "out of memory");
	r = io_make_dirs(directory, err);
	if (r == 0)
		r = io_sync_dir(state_dir, err);
	return r < 0 ? r
		     : io_replace_file(path, command, strlen(command), 0600,
				       err);
}

int restoring_end(const char *state_dir, const char *target, struct err *err)
{
	_cleanup_free_ char *directory = io_format(DIRECTORY, state_dir);
	_cleanup_free_ char *path =
		io_format(DIRECTORY "/%s", state_dir, target);

	if (!directory || !path)
		return fail(err, -ENOMEM, "out of memory");
	if (unlink(path) < 0)
		return errno == ENOENT ? 0
				       : fail_errno(err, -errno, "%s", path);
	return io_sync_dir(directory, err);
}

static int refuse(const char *directory, const char *target, struct err *err)
{
	_cleanup_free_ char *path = io_format("%s/%s", directory, target);
	_cleanup_free_ char *command = NULL;

	if (!path)
		return fail(err, -ENOMEM, "out of memory");
	if (io_read_file(path, MAX_BYTES, &command, NULL, NULL) < 0)
		return fail(err, -EBUSY,
			    "its disk %s is half restored; restore it again, "
			    "with --in-place",
			    target);
	return fail(err, -EBUSY,
		    "its disk %s is half restored; finish with '%s', or "
		    "restore another point with --in-place, or, to use the "
		    "disk as it is, remove %s",
		    target, command, path);
}

int restoring_check(const char *state_dir, struct err *err)
{
	_cleanup_free_ char *path = io_format(DIRECTORY, state_dir);
	_cleanup_closedir_ DIR *dir = path ? opendir(path) : NULL;
	struct dirent *entry;

	if (!path)
		return fail(err, -ENOMEM, "out of memory");
	if (!dir)
		return errno == ENOENT ? 0
				       : fail_errno(err, -errno, "%s", path);
	/* No disk has a name with a dot, but what is not finished yet does. */
	while ((entry = readdir(dir)))
		if (!strchr(entry->d_name, '.'))
			return refuse(path, entry->d_name, err);
	return 0;
}

int restoring_check_disk(const char *state_dir, const char *target,
			 struct err *err)
{
	_cleanup_free_ char *directory = io_format(DIRECTORY, state_dir);
	_cleanup_free_ char *path =
		io_format(DIRECTORY "/%s", state_dir, target);

	if (!directory || !path)
		return fail(err, -ENOMEM, "out of memory");
	if (access(path, F_OK) < 0)
		return errno == ENOENT ? 0
				       : fail_errno(err, -errno, "%s", path);
	return refuse(directory, target, err);
}
