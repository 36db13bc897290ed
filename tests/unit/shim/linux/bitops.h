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

static inline unsigned long shim_find_le(const void *bits, unsigned long size,
					 unsigned long from, int set)
{
	const unsigned char *bytes = bits;

	while (from < size && (bytes[from / 8] >> from % 8 & 1) != set)
		from++;
	return from < size ? from : size;
}
#define find_next_bit_le(bits, size, from) shim_find_le(bits, size, from, 1)
#define find_next_zero_bit_le(bits, size, from) \
	shim_find_le(bits, size, from, 0)

#endif
