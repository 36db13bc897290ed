/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Files as whole things: read all of one, replace one so that a power cut
 * leaves the old or the new content and never a mixture.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/cleanup.h"

struct err;

/* read(2) and the like until done. A short read at end is -ENODATA. */
int io_read_full(int fd, void *buffer, size_t size_bytes);
int io_write_full(int fd, const void *buffer, size_t size_bytes);
int io_pread_full(int fd, void *buffer, size_t size_bytes, off_t offset_bytes);
/* The same up to the end of the file. Returns how many bytes that were. */
ssize_t io_pread_most(int fd, void *buffer, size_t size_bytes,
		      off_t offset_bytes);
int io_pwrite_full(int fd, const void *buffer, size_t size_bytes,
		   off_t offset_bytes);

/*
 * Writes zeroes into a file or block device, from byte @from up to @to;
 * durable on return. The file offset is moved.
 */
int io_write_zeroes(int fd, uint64_t from, uint64_t to);

/* A unix socket at @path, which must not be there yet, to accept(2) from. */
int io_listen(const char *path, struct err *err);

/*
 * Reads the whole of @path, at most @max_bytes of it (more is -EFBIG), into a
 * new buffer with a zero byte behind the content. The caller frees it.
 * @ret_size_bytes may be NULL.
 */
int io_read_file(const char *path, size_t max_bytes, char **ret_content,
		 size_t *ret_size_bytes, struct err *err);

/*
 * For files that somebody else may have put there: open(2), close-on-exec, of
 * a regular file; one that O_CREAT makes has mode 0600. -EBADMSG: it is
 * something else, a symbolic link too, which is not followed. A FIFO is not
 * waited for.
 */
int io_open_regular(const char *path, int flags, struct err *err);

/* io_read_file() of such a file. */
int io_read_regular(const char *path, size_t max_bytes, char **ret_content,
		    size_t *ret_size_bytes, struct err *err);

/* That @path is a directory, and no symbolic link to one; else -EBADMSG.
 * -ENOENT: there is nothing. */
int io_check_directory(const char *path, struct err *err);

/*
 * Replaces @path by rename: write to PATH.tmp, fsync, rename, fsync of the
 * directory. @mode as for open(2).
 */
int io_replace_file(const char *path, const void *content, size_t size_bytes,
		    mode_t mode, struct err *err);

/* fsync of the directory @path, so that names in it survive a power cut. */
int io_sync_dir(const char *path, struct err *err);

/* Creates @path and its parents, where missing, with mode 0700. */
int io_make_dirs(const char *path, struct err *err);

/* Removes the directory @path with the files in it. It need not be there. */
int io_remove_dir(const char *path, struct err *err);

/* Size of a file or block device. */
int io_size_bytes(int fd, uint64_t *ret_bytes);

/* From now on nobody waits in read(2) and write(2) of @fd: they are -EAGAIN. */
int io_unblock(int fd, struct err *err);

/* printf into a new string, NULL when out of memory. The caller frees it. */
char *io_format(const char *format, ...) __attribute__((format(printf, 1, 2)));
