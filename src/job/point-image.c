/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * qemu-nbd follows the backing files.  A device may be larger than the disk
 * that is restored to it, but shipping is between two of one size: a passing
 * overlay makes the image as large.
 */
#include "job/point-image.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/err.h"
#include "base/io.h"
#include "job/reading.h"
#include "repo/image.h"
#include "repo/manifest.h"
#include "ship/server.h"

void point_image_close(struct point_image *image)
{
	ship_server_kill(TAKE_PTR(image->server));
	if (image->overlay)
		unlink(image->overlay);
	free(TAKE_PTR(image->overlay));
}

static int make_overlay(struct point_image *image, const char *path,
			uint64_t size_bytes, struct err *err)
{
	_cleanup_free_ char *overlay = io_format(P_tmpdir "/dsync-vm-XXXXXX");
	int fd;

	if (!overlay)
		return fail(err, -ENOMEM, "out of memory");
	fd = mkstemp(overlay);
	if (fd < 0)
		return fail_errno(err, -errno, "%s", overlay);
	close(fd);
	image->overlay = TAKE_PTR(overlay);
	return image_make_overlay(image->overlay, path, size_bytes, err);
}

int point_image_open(const struct reading *from, const struct manifest *point,
		     const char *target, uint64_t size_bytes,
		     struct point_image *ret_image, struct err *err)
{
	const struct manifest_disk *disk = manifest_find_disk(point, target);
	_cleanup_free_ char *path =
		image_path(from->domain, target, point->point);
	struct ship_image qcow2 = {.format = "qcow2", .read_only = true};
	int r;

	*ret_image = (struct point_image){0};
	if (!disk)
		return fail(err, -ENOENT, "the point %s has no disk %s",
			    point->point, target);
	if (!path)
		return fail(err, -ENOMEM, "out of memory");
	r = image_check_chain(from->domain, from->catalog, point, target, err);
	if (r == 0 && size_bytes != disk->size_bytes)
		r = make_overlay(ret_image, path, size_bytes, err);
	if (r < 0)
		return r;
	qcow2.path = ret_image->overlay ? ret_image->overlay : path;
	return ship_server_start(&qcow2, &ret_image->server, err);
}
