/* SPDX-License-Identifier: GPL-2.0-only */
/* The kernel's bit operations, as far as the bitmap uses them. */
#ifndef SHIM_LINUX_BITOPS_H
#define SHIM_LINUX_BITOPS_H

#include <limits.h>

#include <linux/kernel.h>
#include <asm/byteorder.h>

#define BITS_PER_LONG __LONG_WIDTH__
#define BIT(n) (1UL << (n))
#define GENMASK(high, low) \
	((~0UL << (low)) & (~0UL >> (BITS_PER_LONG - 1 - (high))))
#define hweight_long(x) ((unsigned int)__builtin_popcountl(x))

#define min(a, b) ((a) < (b) ? (a) : (b))

#define max(a, b) ((a) > (b) ? (a) : (b))
#define round_down(x, y) ((x) & ~((__typeof__(x))(y)-1))

static inline unsigned long find_bit_le(const unsigned char *bits,
					unsigned long size, unsigned long from,
					int value)
{
	while (from < size && (bits[from / 8] >> from % 8 & 1) != value)
		from++;
	return from;
}

static inline unsigned long
find_next_bit_le(const void *bits, unsigned long size, unsigned long from)
{
	return find_bit_le(bits, size, from, 1);
}

static inline unsigned long
find_next_zero_bit_le(const void *bits, unsigned long size, unsigned long from)
{
	return find_bit_le(bits, size, from, 0);
}

#endif
