/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A device is claimed as restore claims one.  A file is written in place, as
 * a stream may be of few blocks of a large disk; it is new only if the stream
 * has all of them.
 */
#include "job/merge.h"

#include <fcntl.h>
#include <inttypes.h>
#include <libgen.h>
#include <linux/falloc.h>
#include <string.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "base/err.h"
#include "base/io.h"
#include "dm/content.h"
#include "dm/image-lock.h"
#include "job/restore-dest.h"
#include "job/ui.h"

struct copy {
	const char *path;
	struct restore_dest *device; /* NULL: a file */
	int fd;
};

static void close_copy(struct copy *copy)
{
	if (!copy->device && copy->fd >= 0)
		close(copy->fd);
	restore_dest_close(copy->device);
}
#define _cleanup_copy_ _cleanup_(close_copy)

static int open_device(struct copy *copy, const struct merge_request *request,
		       const struct stream_about *about, struct err *err)
{
	const struct restore_place place = {
		.path = request->path,
		.format = "raw",
		.size_bytes = about->size_bytes,
		/* Of a part of the disk the rest is there. */
		.force = request->force || !about->whole,
	};
	int r = restore_dest_open(&place, &copy->device, err);

	if (r == 0)
		copy->fd = copy->device->fd;
	return r;
}

static int check_file(const struct copy *copy,
		      const struct merge_request *request,
		      const struct stream_about *about, struct err *err)
{
	const char *what = NULL;
	uint64_t size_bytes;
	int r = io_size_bytes(copy->fd, &size_bytes);

	if (r == 0 && size_bytes == 0 && about->whole &&
	    ftruncate(copy->fd, (off_t)about->size_bytes) < 0)
		r = -errno;
	if (r < 0)
		return fail_errno(err, r, "%s", copy->path);
	if (size_bytes == 0 && about->whole)
		return 0;
	if (size_bytes != about->size_bytes)
		return fail(err, -ESTALE,
			    "%s: has %" PRIu64 " bytes, the disk of the stream "
			    "%" PRIu64 "; is it another one's copy?",
			    copy->path, size_bytes, about->size_bytes);
	if (!about->whole || request->force)
		return 0;
	r = content_find(copy->fd, size_bytes, &what);
	if (r < 0)
		return fail_errno(err, r, "%s: what is in it", copy->path);
	if (what)
		return fail(err, -EEXIST,
			    "%s: is not empty, there is %s in it, and the "
			    "stream is of a whole disk; --force overwrites it",
			    copy->path, what);
	return 0;
}

static int open_file(struct copy *copy, const struct merge_request *request,
		     const struct stream_about *about, struct err *err)
{
	int flags = O_RDWR | O_CLOEXEC | (about->whole ? O_CREAT : 0);
	struct stat st;
	int r;

	copy->fd = open(request->path, flags, 0600);
	if (copy->fd < 0 && errno == ENOENT && !about->whole)
		return fail(err, -ENOENT,
			    "%s: does not exist, and the stream has only what "
			    "changed; begin with 'dsync-vm extract --all'",
			    copy->path);
	if (copy->fd < 0 || fstat(copy->fd, &st) < 0)
		return fail_errno(err, -errno, "%s", copy->path);
	if (!S_ISREG(st.st_mode))
		return fail(err, -EEXIST,
			    "%s: neither a file nor a block device",
			    copy->path);
	r = image_lock(copy->fd, copy->path, err);
	return r < 0 ? r : check_file(copy, request, about, err);
}

static int open_copy(struct copy *copy, const struct merge_request *request,
		     const struct stream_about *about, struct err *err)
{
	struct stat st;

	if (stat(request->path, &st) == 0 && S_ISBLK(st.st_mode))
		return open_device(copy, request, about, err);
	return open_file(copy, request, about, err);
}

/* ---------------------------------------------------------------- writing */

static int write_zeroes(int fd, const struct stream_range *range)
{
	if (fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
		      (off_t)range->offset_bytes,
		      (off_t)range->size_bytes) == 0)
		return 0;
	return io_write_zeroes(fd, range->offset_bytes,
			       range->offset_bytes + range->size_bytes);
}

static int write_range(const struct copy *copy,
		       const struct stream_range *range, struct err *err)
{
	int r = range->data ? io_pwrite_full(copy->fd, range->data,
					     range->size_bytes,
					     (off_t)range->offset_bytes)
			    : write_zeroes(copy->fd, range);

	return r < 0 ? fail_errno(err, r, "%s", copy->path) : 0;
}

/* A file's name too: who made it may have been killed before. */
static int sync_copy(const struct copy *copy, struct err *err)
{
	_cleanup_free_ char *path = strdup(copy->path);

	if (!path)
		return fail(err, -ENOMEM, "out of memory");
	if (fsync(copy->fd) < 0)
		return fail_errno(err, -errno, "%s", copy->path);
	return io_sync_dir(dirname(path), err);
}

static int write_all(const struct copy *copy, struct stream_reader *reader,
		     struct ui *ui, struct err *err)
{
	struct stream_range range;
	struct err why = {0};
	int r, synced;

	ui_progress_start(ui, "merge");
	while ((r = stream_reader_next(reader, &range, err)) == 1) {
		r = write_range(copy, &range, err);
		if (r < 0)
			break;
		ui_progress(ui, range.offset_bytes + range.size_bytes,
			    reader->about.size_bytes);
	}
	ui_progress_end(ui);
	/* Also what came before it broke off. */
	synced = sync_copy(copy, r < 0 ? &why : err);
	return r < 0 ? r : synced;
}

int merge_run(const struct merge_request *request,
	      struct merge_report *ret_report, struct ui *ui, struct err *err)
{
	_cleanup_stream_reader_ struct stream_reader reader = {0};
	_cleanup_copy_ struct copy copy = {.path = request->path, .fd = -1};
	uint64_t began_ms = ui_now_ms();
	int r;

	*ret_report = (struct merge_report){0};
	r = stream_reader_begin(&reader, request->fd, err);
	if (r == 0)
		r = open_copy(&copy, request, &reader.about, err);
	if (r == 0)
		r = write_all(&copy, &reader, ui, err);
	ret_report->about = reader.about;
	ret_report->data_bytes = reader.data_bytes;
	ret_report->zero_bytes = reader.zero_bytes;
	ret_report->spent_ms = ui_now_ms() - began_ms;
	return r;
}
