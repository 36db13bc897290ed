/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The disk of a point, served for reading by a qemu-nbd of this host. */
#pragma once

#include <stdint.h>

#include "base/cleanup.h"

struct err;
struct manifest;
struct reading;
struct ship_server;

struct point_image {
	struct ship_server *server;
	char *overlay; /* that makes it larger; NULL: there is none */
};

/*
 * Serves the disk @target of @point, as a disk of @size_bytes: what lies
 * behind its end reads as zeroes. Every image that it is read through is
 * checked first: -EBADMSG. To be closed by point_image_close(), also after a
 * failure.
 */
int point_image_open(const struct reading *from, const struct manifest *point,
		     const char *target, uint64_t size_bytes,
		     struct point_image *ret_image, struct err *err);
void point_image_close(struct point_image *image);
#define _cleanup_point_image_ _cleanup_(point_image_close)
