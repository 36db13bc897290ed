/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The kernel's uuid_t: 16 bytes in the order they are written. */
#ifndef DSYNC_USER_UUID_H
#define DSYNC_USER_UUID_H

#include <linux/types.h>

typedef struct {
	u8 b[16];
} uuid_t;

#endif
