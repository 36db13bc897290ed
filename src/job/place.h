/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Where a disk that comes from another host is to be: a block device, or a raw
 * file, of exactly its size. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct err;

struct place {
	char *path;
	int fd;       /* keeps others off; -1: does not any more */
	bool created; /* the file was not there before */
	bool block;   /* it is a block device */
};

/*
 * -ENOENT: nothing is there, and it is not to be made (@create); -EEXIST: there
 * is something on it, and it is not to be overwritten (@overwrite); -ENOSPC: it
 * is smaller; -EFBIG: larger; -EBUSY: somebody uses it. @ret_place is all zero
 * before.
 */
int place_open(const char *path, uint64_t size_bytes, bool create,
	       bool overwrite, struct place *ret_place, struct err *err);

/* The same, but a file is not made: ->created is whether it would be. */
int place_look(const char *path, uint64_t size_bytes, bool create,
	       bool overwrite, struct place *ret_place, struct err *err);

/* It passed: from now on it is in somebody else's hands. */
void place_release(struct place *place);

/* Removes a file that was made and not released. */
void place_clear(struct place *place);
