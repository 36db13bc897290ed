/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A file of its own: what is committed is not written to again. */
#include "repo/protect.h"

#include <fcntl.h>

#include "base/err.h"
#include "base/io.h"
#include "repo/domain.h"

static char *path_of(const struct repo_domain *domain, const char *point)
{
	return io_format("%s/points/%s.protected", domain->path, point);
}

bool protect_is_set(const struct repo_domain *domain, const char *point)
{
	_cleanup_free_ char *path = path_of(domain, point);

	return !path || access(path, F_OK) == 0 || errno != ENOENT;
}

int protect_set(const struct repo_domain *domain, const char *point,
		bool protect, struct err *err)
{
	_cleanup_free_ char *path = path_of(domain, point);
	_cleanup_free_ char *directory = io_format("%s/points", domain->path);
	_cleanup_close_ int fd = -1;

	if (!path || !directory)
		return fail(err, -ENOMEM, "out of memory");
	if (protect) {
		/* What is there already protects it, whatever it is. */
		fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0400);
		if (fd < 0 && errno != EEXIST)
			return fail_errno(err, -errno, "%s", path);
	} else if (unlink(path) < 0 && errno != ENOENT) {
		return fail_errno(err, -errno, "%s", path);
	}
	return io_sync_dir(directory, err);
}
