/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What is on a device that is about to be overwritten. */
#pragma once

#include <stdint.h>

/*
 * Looks at the device of @size_bytes open in @fd. @ret_what is what seems to be
 * there ("an LVM physical volume", "data"), NULL if nothing is.
 */
int content_find(int fd, uint64_t size_bytes, const char **ret_what);
