/* SPDX-License-Identifier: GPL-2.0-only */
/* The kernel's bit operations, as far as the bitmap uses them. */
#ifndef SHIM_LINUX_BITOPS_H
#define SHIM_LINUX_BITOPS_H

#include <endian.h>
#include <limits.h>

#define BITS_PER_LONG __LONG_WIDTH__
#define BIT(n) (1UL << (n))
#define GENMASK(high, low) \
	((~0UL << (low)) & (~0UL >> (BITS_PER_LONG - 1 - (high))))
#define cpu_to_le32(x) htole32(x)
#define cpu_to_le64(x) htole64(x)
#define hweight_long(x) ((unsigned int)__builtin_popcountl(x))

#define min(a, b) ((a) < (b) ? (a) : (b))
#define min_t(type, a, b) min((type)(a), (type)(b))

#endif
