/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The slots of a bitmap, for dm-dsync-bitmap.c, which explains them, and
 * dm-dsync-bits.c only.
 */
#ifndef DM_DSYNC_SLOT_H
#define DM_DSYNC_SLOT_H

#include <linux/bitops.h>
#include <linux/compiler.h>
#include <linux/kernel.h>
#include <linux/string.h>

#include "dm-dsync-bitmap.h"

#define SLOT_COARSE 1UL
#define UNITS (BITS_PER_LONG / 2)
#define UNIT_BITS (DSYNC_PAGE_BITS / UNITS)
#define UNIT_BYTES (UNIT_BITS / 8)
#define SLOT_FULL (~0UL << UNITS | SLOT_COARSE)
#define PAGE_WORDS (DSYNC_PAGE_BYTES / sizeof(long))

static inline unsigned long *slot_page(unsigned long slot)
{
	return slot & SLOT_COARSE ? NULL : (unsigned long *)slot;
}

/* How many bits of page @n exist. */
static inline unsigned int page_bits(const struct dsync_bitmap *bm,
				     unsigned long n)
{
	u64 left = bm->nr_bits - ((u64)n << DSYNC_PAGE_SHIFT);

	return min_t(u64, left, DSYNC_PAGE_BITS);
}

/* How many of its @bits blocks a slot holds. */
static inline unsigned int slot_count(unsigned long slot, unsigned int bits)
{
	unsigned long *page = slot_page(slot);
	unsigned int sum = 0, i;

	if (page) {
		for (i = 0; i < PAGE_WORDS; i++)
			sum += hweight_long(READ_ONCE(page[i]));
		return sum;
	}
	for (i = 0; i < UNITS && i * UNIT_BITS < bits; i++)
		if (slot & BIT(UNITS + i))
			sum += min(UNIT_BITS, bits - i * UNIT_BITS);
	return sum;
}

/* Clears what lies beyond @bits in a page. */
static inline void cut_page(unsigned long *page, unsigned int bits)
{
	u8 *bytes = (u8 *)page;
	unsigned int whole = bits / 8;

	if (bits == DSYNC_PAGE_BITS)
		return;
	bytes[whole] &= (1U << bits % 8) - 1;
	memset(bytes + whole + 1, 0, DSYNC_PAGE_BYTES - whole - 1);
}

/* Writes out as a page of @bits what a slot without a page stands for. */
static inline void expand_slot(unsigned long slot, unsigned long *page,
			       unsigned int bits)
{
	unsigned int unit;

	for (unit = 0; unit < UNITS; unit++)
		memset((u8 *)page + unit * UNIT_BYTES,
		       slot & BIT(UNITS + unit) ? 0xff : 0, UNIT_BYTES);
	cut_page(page, bits);
}

#endif
