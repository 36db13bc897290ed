/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Who may do what at the same time: flock(2) on a file that is never removed
 * (removing it would let two holders in).  The lock ends with its holder,
 * however that ends.
 */
#pragma once

#include <stdbool.h>

struct err;

/*
 * Takes the lock file @path, made if missing, mode 0600. A lock held by
 * somebody else fails at once with -EBUSY, or, when @wait_ms is not 0, after
 * so many milliseconds. Returns a file descriptor; closing it unlocks.
 */
int lock_take(const char *path, unsigned int wait_ms, struct err *err);

/* The same, but held together with others who share it. */
int lock_share(const char *path, unsigned int wait_ms, struct err *err);

/*
 * Whether somebody holds @path exclusively. Asks the kernel for its list: to
 * try would be in the way of who wants it just now.
 */
bool lock_is_held(const char *path);
