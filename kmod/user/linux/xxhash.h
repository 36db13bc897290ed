/* SPDX-License-Identifier: GPL-2.0-or-later */
/* xxh64() over libxxhash. */
#ifndef DSYNC_USER_XXHASH_H
#define DSYNC_USER_XXHASH_H

#define XXH_INLINE_ALL
#include <xxhash.h>

#define xxh64(data, size, seed) XXH64(data, size, seed)

#endif
