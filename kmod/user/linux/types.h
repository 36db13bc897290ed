/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * kmod's codec in user space: this folder, ahead of the system's headers, adds
 * the kernel's names that the codec uses, and no others.
 */
#ifndef DSYNC_USER_TYPES_H
#define DSYNC_USER_TYPES_H

#include_next <linux/types.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef uint8_t u8;
typedef int32_t s32;
typedef uint32_t u32;
typedef uint64_t u64;

#endif
