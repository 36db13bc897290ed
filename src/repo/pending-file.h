/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The file format under pending.h; nothing but pending.c needs it. */
#pragma once

struct err;
struct pending;

/*
 * -ENOENT: there is none. -EBADMSG: it is damaged, or from a version whose
 * format is not known.
 */
int pending_file_read(const char *path, struct pending **ret_pending);

int pending_file_write(const char *path, const struct pending *pending,
		       struct err *err);
