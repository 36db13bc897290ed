/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A few of the kernel's macros. */
#ifndef DSYNC_USER_KERNEL_H
#define DSYNC_USER_KERNEL_H

#include_next <linux/kernel.h>

#define DIV_ROUND_UP(n, d) (((n) + (d)-1) / (d))
#define DIV_ROUND_UP_ULL(n, d) DIV_ROUND_UP((unsigned long long)(n), d)
#define BUILD_BUG_ON(condition) _Static_assert(!(condition), #condition)

#define min_t(type, a, b) ((type)(a) < (type)(b) ? (type)(a) : (type)(b))

#endif
