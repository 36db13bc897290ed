/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What is about to be overwritten: used by nobody, and, unless it was asked
 * for, empty.
 */
#pragma once

#include <stdint.h>

struct err;

/*
 * Opens the block device @path for writing, for us alone: O_EXCL keeps mounts,
 * md, dm and swap off as long as it is open. -EBUSY says who has it; a QEMU and
 * others take no such lock, and are looked for.
 */
int vacant_open_device(const char *path, struct err *err);

/* -EBUSY: a QEMU has it open. */
int vacant_check_no_qemu(const char *path, struct err *err);

/* -EEXIST: there is something on @path, of @size_bytes, open in @fd. */
int vacant_check_empty(int fd, const char *path, uint64_t size_bytes,
		       struct err *err);
