/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What is under pending.h, for pending*.c alone: the format of its files, and
 * where they are. */
#pragma once

#include <stddef.h>
#include <stdint.h>

struct err;
struct pending;

/*
 * -ENOENT: there is none. -EBADMSG: it is damaged, or from a version whose
 * format is not known.
 */
int pending_file_read(const char *path, struct pending **ret_pending);

/* The same of its content, which is as it was when this returns. */
int pending_file_parse(void *content, size_t size_bytes,
		       struct pending **ret_pending);

/* The content that the file would have; to be freed. -ENOMEM. */
int pending_file_content(const struct pending *pending, uint8_t **ret_content,
			 size_t *ret_size_bytes);

int pending_file_write(const char *path, const struct pending *pending,
		       struct err *err);

/* The repository ids that a source has files for, for strings_free(). */
int pending_list_ids(const char *state_dir, char ***ret_ids, size_t *ret_count,
		     struct err *err);
