/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A mirror is an NBD export that is kept equal to a disk.  It has no room for
 * an id of its own, so its URI stands for it: pending sets are filed under an
 * id made from the URI.
 */
#pragma once

#include <stdbool.h>

#include "base/uuid.h"

struct err;

/* True if @target names an NBD export (nbd://, nbds+unix://, ...). */
bool mirror_is_uri(const char *target);

/* The id of the mirror at @uri: always the same one. */
void mirror_id(const char *uri, char ret_id[UUID_SIZE]);

/*
 * The export of one disk: @uri with "{disk}" replaced by @disk. The caller
 * frees it; NULL: out of memory.
 */
char *mirror_disk_uri(const char *uri, const char *disk);
