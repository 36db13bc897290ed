// SPDX-License-Identifier: GPL-2.0-only
/*
 * A set of blocks, seen as bits: looking at it, and copying it in and out.
 *
 * See dm-dsync-bitmap.c for how the bits are held. All that only looks is safe
 * against marks: it takes no lock, and sees a mark or not.
 */
#include <linux/bitops.h>
#include <linux/compiler.h>
#include <linux/kernel.h>
#include <linux/slab.h>
#include <linux/string.h>

#include "dm-dsync-slot.h"

/**
 * dsync_bitmap_next_page() - finds the next page that is not known as empty
 * @bm: the set
 * @page: where to start
 *
 * Return: that page, or nr_pages.
 *
 * Context: does not sleep. Safe against marks.
 */
unsigned long dsync_bitmap_next_page(const struct dsync_bitmap *bm,
				     unsigned long page)
{
	while (page < bm->nr_pages && !READ_ONCE(bm->slots[page]))
		page++;
	return page;
}

/* The first bit of a slot from @from to before @end that is @set, or @end. */
static unsigned int next_in_slot(unsigned long slot, unsigned int from,
				 unsigned int end, bool set)
{
	unsigned long *page = slot_page(slot);

	if (page)
		return set ? find_next_bit_le(page, end, from)
			   : find_next_zero_bit_le(page, end, from);
	while (from < end && !(slot & BIT(UNITS + from / UNIT_BITS)) == set)
		from = (from / UNIT_BITS + 1) * UNIT_BITS;
	return min(from, end);
}

static u64 next_bit(const struct dsync_bitmap *bm, u64 first, u64 end, bool set)
{
	while (first < end) {
		u64 base = round_down(first, DSYNC_PAGE_BITS);
		unsigned long slot =
			READ_ONCE(bm->slots[first >> DSYNC_PAGE_SHIFT]);
		unsigned int stop = min_t(u64, end - base, DSYNC_PAGE_BITS);

		first = base + next_in_slot(slot, first - base, stop, set);
		if (first < base + stop)
			break;
	}
	return first;
}

/**
 * dsync_bitmap_next() - finds the next block that is in the set
 * @bm: the set
 * @first: where to start
 * @end: where to stop, at most nr_bits
 *
 * Return: the block, or @end.
 *
 * Context: does not sleep. Safe against marks.
 */
u64 dsync_bitmap_next(const struct dsync_bitmap *bm, u64 first, u64 end)
{
	return next_bit(bm, first, end, true);
}

/**
 * dsync_bitmap_next_zero() - finds the next block that is not in the set
 * @bm: the set
 * @first: where to start
 * @end: where to stop, at most nr_bits
 *
 * Return: the block, or @end.
 *
 * Context: does not sleep. Safe against marks.
 */
u64 dsync_bitmap_next_zero(const struct dsync_bitmap *bm, u64 first, u64 end)
{
	return next_bit(bm, first, end, false);
}

/**
 * dsync_bitmap_read() - copies one page of bits out
 * @bm: the set
 * @page: which page
 * @buf: DSYNC_PAGE_BYTES, becomes little-endian bits, zero beyond nr_bits
 *
 * Context: does not sleep. Safe against marks.
 */
void dsync_bitmap_read(const struct dsync_bitmap *bm, unsigned long page,
		       unsigned long *buf)
{
	unsigned long slot = READ_ONCE(bm->slots[page]);
	unsigned long *bits = slot_page(slot);
	unsigned int i;

	if (!bits) {
		expand_slot(slot, buf, page_bits(bm, page));
		return;
	}
	for (i = 0; i < PAGE_WORDS; i++)
		buf[i] = READ_ONCE(bits[i]);
}

/* Copies bytes of one page out, from @pos to before @end. */
static void get_slot_bytes(unsigned long slot, unsigned int pos,
			   unsigned int end, u8 *buf)
{
	const u8 *page = (const u8 *)slot_page(slot);

	if (page) {
		memcpy(buf, page + pos, end - pos);
		return;
	}
	while (pos < end) {
		unsigned int unit = pos / UNIT_BYTES;
		unsigned int n =
			min_t(unsigned int, end, (unit + 1) * UNIT_BYTES) - pos;

		memset(buf, slot & BIT(UNITS + unit) ? 0xff : 0, n);
		buf += n;
		pos += n;
	}
}

/**
 * dsync_bitmap_get_bytes() - copies any part of the set out
 * @bm: the set
 * @pos: the first byte of its bits
 * @buf: becomes little-endian bits, zero beyond nr_bits
 * @count: bytes
 *
 * Context: does not sleep. Safe against marks.
 */
void dsync_bitmap_get_bytes(const struct dsync_bitmap *bm, u64 pos, void *buf,
			    unsigned int count)
{
	u64 end = min_t(u64, pos + count, dsync_bitmap_bytes(bm));
	u8 *out = buf;

	memset(buf, 0, count);
	while (pos < end) {
		unsigned long n = pos / DSYNC_PAGE_BYTES;
		unsigned int from = pos % DSYNC_PAGE_BYTES;
		unsigned int to =
			min_t(u64, end - (pos - from), DSYNC_PAGE_BYTES);

		get_slot_bytes(READ_ONCE(bm->slots[n]), from, to, out);
		out += to - from;
		pos += to - from;
	}
	/* A coarse slot reaches beyond the end. */
	if (out > (u8 *)buf && end == dsync_bitmap_bytes(bm) && bm->nr_bits % 8)
		out[-1] &= (1U << bm->nr_bits % 8) - 1;
}

/**
 * dsync_bitmap_mark_bytes() - puts blocks into the set, given as bits
 * @bm: the set
 * @pos: the byte of its bits where @bits begin
 * @bits: little-endian, aligned to a long; what is beyond nr_bits is ignored
 * @count: bytes
 *
 * Context: as dsync_bitmap_mark(), but cond_resched() is advised around it.
 */
void dsync_bitmap_mark_bytes(struct dsync_bitmap *bm, u64 pos, const void *bits,
			     unsigned int count)
{
	u64 base = pos * 8;
	unsigned long nr, from, to;

	if (base >= bm->nr_bits)
		return;
	nr = min_t(u64, count * 8ULL, bm->nr_bits - base);
	for (to = 0;;) {
		from = find_next_bit_le(bits, nr, to);
		if (from >= nr)
			return;
		to = find_next_zero_bit_le(bits, nr, from);
		dsync_bitmap_mark(bm, base + from, to - from);
	}
}

/**
 * dsync_bitmap_any() - says whether a range may hold any block
 * @bm: the set
 * @first: the first block
 * @count: how many, at least 1; a rough look: whole pages of the set
 *
 * Context: does not sleep. Safe against marks.
 */
bool dsync_bitmap_any(const struct dsync_bitmap *bm, u64 first, u64 count)
{
	unsigned long page = first >> DSYNC_PAGE_SHIFT;
	u64 last = min_t(u64, first + count, bm->nr_bits) - 1;

	return dsync_bitmap_next_page(bm, page) <=
	       (unsigned long)(last >> DSYNC_PAGE_SHIFT);
}

/**
 * dsync_bitmap_write() - replaces one page of bits
 * @bm: the set; quiescent
 * @page: which page
 * @buf: DSYNC_PAGE_BYTES from kmalloc(); bits beyond nr_bits are ignored
 *
 * Return: memory that the caller is to kfree(): the page that was there
 * before, or @buf itself when it need not be kept, or NULL.
 *
 * Context: does not sleep, needs no memory.
 */
unsigned long *dsync_bitmap_write(struct dsync_bitmap *bm, unsigned long page,
				  unsigned long *buf)
{
	unsigned long old = bm->slots[page], *before = slot_page(old);
	unsigned int bits = page_bits(bm, page), sum;

	cut_page(buf, bits);
	sum = slot_count((unsigned long)buf, bits);
	atomic64_add((s64)sum - slot_count(old, bits), &bm->count);
	if (sum && sum < bits) {
		bm->slots[page] = (unsigned long)buf;
		return before;
	}
	bm->slots[page] = sum ? SLOT_FULL : 0;
	kfree(before);
	return buf;
}
