/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A rename is durable only after an fsync of its directory, and atomic only
 * if the content was durable before: io_replace_file() does both in order.
 */
#include "base/io.h"

#include <fcntl.h>
#include <libgen.h>
#include <linux/fs.h>
#include <stdarg.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "base/err.h"

/* Written at a time; small beside any device, large beside a system call. */
#define ZEROES_BYTES (UINT64_C(1) << 20)

int io_read_full(int fd, void *buffer, size_t size_bytes)
{
	for (size_t done = 0; done < size_bytes;) {
		ssize_t n = read(fd, (char *)buffer + done, size_bytes - done);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			return -ENODATA;
		done += n;
	}
	return 0;
}

int io_write_full(int fd, const void *buffer, size_t size_bytes)
{
	for (size_t done = 0; done < size_bytes;) {
		ssize_t n = write(fd, (const char *)buffer + done,
				  size_bytes - done);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		done += n;
	}
	return 0;
}

ssize_t io_pread_most(int fd, void *buffer, size_t size_bytes,
		      off_t offset_bytes)
{
	size_t done = 0;

	while (done < size_bytes) {
		ssize_t n = pread(fd, (char *)buffer + done, size_bytes - done,
				  offset_bytes + done);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			break;
		done += n;
	}
	return done;
}

int io_pread_full(int fd, void *buffer, size_t size_bytes, off_t offset_bytes)
{
	ssize_t n = io_pread_most(fd, buffer, size_bytes, offset_bytes);

	if (n < 0)
		return n;
	return (size_t)n < size_bytes ? -ENODATA : 0;
}

int io_pwrite_full(int fd, const void *buffer, size_t size_bytes,
		   off_t offset_bytes)
{
	for (size_t done = 0; done < size_bytes;) {
		ssize_t n = pwrite(fd, (const char *)buffer + done,
				   size_bytes - done, offset_bytes + done);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		done += n;
	}
	return 0;
}

/* Reads until end of file; /proc files have no size, so st_size is no help. */
static int read_all(int fd, size_t max_bytes, char **ret_content,
		    size_t *ret_size_bytes)
{
	_cleanup_free_ char *content = NULL;
	size_t size = 0, room = 0;

	for (;;) {
		ssize_t n;

		if (size + 1 >= room) {
			char *bigger;

			room = room ? room * 2 : 4096;
			bigger = realloc(content, room);
			if (!bigger)
				return -ENOMEM;
			content = bigger;
		}
		n = read(fd, content + size, room - size - 1);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			break;
		size += n;
		if (size > max_bytes)
			return -EFBIG;
	}
	content[size] = '\0';
	*ret_content = TAKE_PTR(content);
	if (ret_size_bytes)
		*ret_size_bytes = size;
	return 0;
}

int io_write_zeroes(int fd, uint64_t from, uint64_t to)
{
	_cleanup_free_ uint8_t *zeroes = calloc(1, ZEROES_BYTES);
	int r = zeroes ? 0 : -ENOMEM;

	if (r == 0 && lseek(fd, from, SEEK_SET) < 0)
		r = -errno;
	while (from < to && r == 0) {
		uint64_t count = to - from < ZEROES_BYTES ? to - from
							  : ZEROES_BYTES;

		r = io_write_full(fd, zeroes, count);
		from += count;
	}
	if (r == 0 && fsync(fd) < 0)
		r = -errno;
	return r;
}

static int read_path(const char *path, int fd, size_t max_bytes,
		     char **ret_content, size_t *ret_size_bytes,
		     struct err *err)
{
	int r = read_all(fd, max_bytes, ret_content, ret_size_bytes);

	return r < 0 ? fail_errno(err, r, "%s", path) : 0;
}

int io_read_file(const char *path, size_t max_bytes, char **ret_content,
		 size_t *ret_size_bytes, struct err *err)
{
	/* A FIFO that somebody put there has nobody to wait for; but a pipe
	 * that somebody writes to is read to its end. */
	_cleanup_close_ int fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);

	if (fd < 0 || fcntl(fd, F_SETFL, 0) < 0)
		return fail_errno(err, -errno, "%s", path);
	return read_path(path, fd, max_bytes, ret_content, ret_size_bytes, err);
}

int io_open_regular(const char *path, int flags, struct err *err)
{
	_cleanup_close_ int fd = open(
		path, flags | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC,
		0600);
	struct stat st;

	if (fd < 0 && errno == ELOOP)
		return fail(err, -EBADMSG, "%s: a symbolic link", path);
	/* A socket, or a directory that was to be written to. */
	if (fd < 0 && (errno == ENXIO || errno == EISDIR))
		return fail(err, -EBADMSG, "%s: not a regular file", path);
	if (fd < 0 || fstat(fd, &st) < 0)
		return fail_errno(err, -errno, "%s", path);
	if (!S_ISREG(st.st_mode))
		return fail(err, -EBADMSG, "%s: not a regular file", path);
	return TAKE_FD(fd);
}

int io_read_regular(const char *path, size_t max_bytes, char **ret_content,
		    size_t *ret_size_bytes, struct err *err)
{
	_cleanup_close_ int fd = io_open_regular(path, O_RDONLY, err);

	return fd < 0 ? fd
		      : read_path(path, fd, max_bytes, ret_content,
				  ret_size_bytes, err);
}

int io_check_directory(const char *path, struct err *err)
{
	struct stat st;

	if (lstat(path, &st) < 0)
		return fail_errno(err, -errno, "%s", path);
	if (S_ISLNK(st.st_mode))
		return fail(err, -EBADMSG,
			    "%s: a symbolic link, where a directory must be",
			    path);
	return S_ISDIR(st.st_mode)
		       ? 0
		       : fail(err, -EBADMSG, "%s: not a directory", path);
}

int io_sync_dir(const char *path, struct err *err)
{
	_cleanup_close_ int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0 || fsync(fd) < 0)
		return fail_errno(err, -errno, "%s", path);
	return 0;
}

static int sync_parent(const char *path, struct err *err)
{
	_cleanup_free_ char *copy = strdup(path);

	if (!copy)
		return fail(err, -ENOMEM, "%s: out of memory", path);
	return io_sync_dir(dirname(copy), err);
}

static int write_durably(const char *path, const void *content,
			 size_t size_bytes, mode_t mode, struct err *err)
{
	_cleanup_close_ int fd = open(
		path, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC,
		mode);
	int r;

	if (fd < 0)
		return fail_errno(err, -errno, "%s", path);
	r = io_write_full(fd, content, size_bytes);
	if (r == 0 && fsync(fd) < 0)
		r = -errno;
	if (r < 0)
		return fail_errno(err, r, "%s", path);
	return 0;
}

int io_replace_file(const char *path, const void *content, size_t size_bytes,
		    mode_t mode, struct err *err)
{
	_cleanup_free_ char *temporary = io_format("%s.tmp", path);
	int r;

	if (!temporary)
		return fail(err, -ENOMEM, "%s: out of memory", path);
	/* What lies there may be anything; a FIFO would be waited for. */
	(void)unlink(temporary);
	r = write_durably(temporary, content, size_bytes, mode, err);
	if (r == 0 && rename(temporary, path) < 0)
		r = fail_errno(err, -errno, "%s", path);
	if (r < 0) {
		unlink(temporary);
		return r;
	}
	return sync_parent(path, err);
}

int io_make_dirs(const char *path, struct err *err)
{
	_cleanup_free_ char *copy = strdup(path);

	if (!copy)
		return fail(err, -ENOMEM, "%s: out of memory", path);
	for (char *p = copy + 1;; p++) {
		char saved = *p;

		if (saved != '/' && saved != '\0')
			continue;
		*p = '\0';
		if (mkdir(copy, 0700) < 0 && errno != EEXIST)
			return fail_errno(err, -errno, "%s", copy);
		*p = saved;
		if (!saved)
			return 0;
	}
}

int io_remove_dir(const char *path, struct err *err)
{
	_cleanup_closedir_ DIR *dir = opendir(path);
	struct dirent *entry;

	if (!dir)
		return errno == ENOENT ? 0
				       : fail_errno(err, -errno, "%s", path);
	while ((entry = readdir(dir)))
		if (strcmp(entry->d_name, ".") != 0 &&
		    strcmp(entry->d_name, "..") != 0 &&
		    unlinkat(dirfd(dir), entry->d_name, 0) < 0)
			return fail_errno(err, -errno, "%s/%s", path,
					  entry->d_name);
	return rmdir(path) < 0 ? fail_errno(err, -errno, "%s", path) : 0;
}

int io_size_bytes(int fd, uint64_t *ret_bytes)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return -errno;
	if (S_ISBLK(st.st_mode))
		return ioctl(fd, BLKGETSIZE64, ret_bytes) < 0 ? -errno : 0;
	if (!S_ISREG(st.st_mode))
		return -ENOTBLK;
	*ret_bytes = st.st_size;
	return 0;
}

char *io_format(const char *format, ...)
{
	va_list ap;
	char *text;
	int r;

	va_start(ap, format);
	r = vasprintf(&text, format, ap);
	va_end(ap);
	return r < 0 ? NULL : text;
}

int io_unblock(int fd, struct err *err)
{
	int flags = fcntl(fd, F_GETFL);

	if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0)
		return fail_errno(err, -errno, "file descriptor %d", fd);
	return 0;
}

#define BACKLOG 16

int io_listen(const char *path, struct err *err)
{
	_cleanup_close_ int listener =
		socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct sockaddr_un address = {.sun_family = AF_UNIX};

	if (strlen(path) >= sizeof(address.sun_path))
		return fail(err, -ENAMETOOLONG,
			    "%s: too long for the name of a socket", path);
	strcpy(address.sun_path, path);
	if (listener < 0 ||
	    bind(listener, (struct sockaddr *)&address, sizeof(address)) < 0)
		return fail_errno(err, -errno, "%s", path);
	if (listen(listener, BACKLOG) < 0)
		return fail_errno(err, -errno, "%s", path);
	return TAKE_FD(listener);
}
