/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A file or block device.  O_DIRECT, because the page cache of the host is
 * the guests': a backup must not push them out, and reads by many at a time
 * need no copy.  Where a file system refuses it (tmpfs, some network ones) we
 * read through the cache.
 *
 * Reads go through io_uring (source-uring.c).  Containers and hardened hosts
 * often forbid it; then plain pread(2), one at a time, from the same table.
 */
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/err.h"
#include "base/io.h"
#include "ship/source.h"

static struct file_source *file_of(struct ship_source *source)
{
	return (struct file_source *)source;
}

int source_go_buffered(struct file_source *file)
{
	int flags = fcntl(file->fd, F_GETFL);

	if (flags < 0 || fcntl(file->fd, F_SETFL, flags & ~O_DIRECT) < 0)
		return -errno;
	file->direct = false;
	return 0;
}

/* Reads up to whole SHIP_ALIGN units, as O_DIRECT wants. */
static int read_now(struct file_source *file, struct ship_read *read)
{
	size_t room = (read->size_bytes + SHIP_ALIGN - 1) & -SHIP_ALIGN;

	while (read->done_bytes < read->size_bytes) {
		ssize_t n = pread(file->fd, read->buffer + read->done_bytes,
				  room - read->done_bytes,
				  read->offset_bytes + read->done_bytes);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EINVAL && file->direct &&
		    source_go_buffered(file) == 0)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			return -ENODATA;
		read->done_bytes += n;
	}
	return 0;
}

static int pread_submit(struct ship_source *source, struct ship_read *read,
			struct err *err)
{
	read->result = read_now(file_of(source), read);
	source->answers++;
	return 0;
}

static unsigned int pread_poll_fds(struct ship_source *source,
				   struct pollfd fds[])
{
	return 0;
}

static int pread_dispatch(struct ship_source *source, const struct pollfd fds[],
			  struct err *err)
{
	return 0;
}

static void pread_abandon(struct ship_source *source)
{
}

static void pread_close(struct ship_source *source)
{
	struct file_source *file = file_of(source);

	if (file->fd >= 0)
		close(file->fd);
	free(file->base.name);
	free(file);
}

static const struct ship_source_ops pread_ops = {
	.submit = pread_submit,
	.poll_fds = pread_poll_fds,
	.dispatch = pread_dispatch,
	.abandon = pread_abandon,
	.close = pread_close,
};

static int open_direct(const char *path, bool *ret_direct, struct err *err)
{
	int fd = open(path, O_RDONLY | O_DIRECT | O_CLOEXEC);

	*ret_direct = fd >= 0;
	if (fd < 0 && errno == EINVAL)
		fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return fail_errno(err, foreign_errno(errno), "%s", path);
	return fd;
}

int ship_source_open_file(const char *path, struct ship_source **ret_source,
			  struct err *err)
{
	_cleanup_source_ struct ship_source *source = NULL;
	struct file_source *file = calloc(1, sizeof(*file));
	int r;

	if (!file)
		return fail(err, -ENOMEM, "%s: out of memory", path);
	source = &file->base;
	source->ops = &pread_ops;
	source->max_read_bytes = source->best_read_bytes = UINT32_MAX;
	file->fd = -1;
	source->name = strdup(path);
	if (!source->name)
		return fail(err, -ENOMEM, "%s: out of memory", path);
	file->fd = open_direct(path, &file->direct, err);
	if (file->fd < 0)
		return file->fd;
	r = io_size_bytes(file->fd, &source->size_bytes);
	if (r < 0)
		return fail_errno(err, foreign_errno(-r), "%s", path);
	if (source->size_bytes % 512)
		return fail(err, -EOPNOTSUPP,
			    "%s: its size is not a multiple of 512 bytes",
			    path);
	r = source_use_ring(file);
	if (r < 0 && r != -ENOSYS && r != -EPERM)
		return fail_errno(err, r, "%s: io_uring", path);
	*ret_source = TAKE_PTR(source);
	return 0;
}

uint64_t ship_source_size_bytes(const struct ship_source *source)
{
	return source->size_bytes;
}

void ship_source_close(struct ship_source *source)
{
	if (source)
		source->ops->close(source);
}
