// SPDX-License-Identifier: GPL-2.0-only
/*
 * A set of blocks: one bit each, held in 4 KiB pages that come as needed.
 *
 * Notes on the design of this file:
 *
 * A disk starts all dirty, and every epoch starts all clean, so a plain array
 * of bits would be allocated, filled and zeroed for nothing. Instead there is
 * one word, a slot, for every page of bits (128 MiB of disk with 4 KiB
 * blocks; 64 KiB of slots for each TiB):
 *
 *	 63            32 31       1 0
 *	+----------------+----------+-+
 *	|             0             |0|  empty: no block is in the set
 *	+----------------+----------+-+
 *	|  unit mask     |     0    |1|  coarse: each mask bit stands for all
 *	+----------------+----------+-+  blocks of one unit, 1/32 of the page
 *	|  address of a page        |0|  exact: little-endian bits, the same
 *	+---------------------------+-+  bytes that user space reads
 *
 * (On 32-bit machines the mask has 16 bits and a unit is 1/16.) A full page
 * is a coarse slot with every unit set. So "all dirty" and "all clean" cost
 * no memory, and a discard of gigabytes touches a few words.
 *
 * A write must never wait for memory, and never go unmarked. If no page is
 * to be had at once, the units that the write touches become dirty as a
 * whole: the set grows by at most 4 MiB of disk per write, which is wrong on
 * the safe side, and counted in @coarse.
 *
 * While a set is being marked, a slot only ever moves forward:
 *
 *	empty -> coarse -> coarse with more units -> page
 *
 * each step by one cmpxchg, and pages are not taken away. That is why
 * dsync_bitmap_mark() and dsync_bitmap_merge() need no lock against each
 * other. Everything that moves a slot back (clear, fill, move, write) needs
 * the set to be quiescent: nobody else uses it at that time.
 *
 * Bits beyond nr_bits are never set in a page; a coarse slot may cover them,
 * and readers cut it off.
 */
#include <linux/bitops.h>
#include <linux/compiler.h>
#include <linux/kernel.h>
#include <linux/mm.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/string.h>

#include "dm-dsync-bitmap.h"

#define SLOT_COARSE 1UL
#define UNITS (BITS_PER_LONG / 2)
#define UNIT_BITS (DSYNC_PAGE_BITS / UNITS)
#define UNIT_BYTES (UNIT_BITS / 8)
#define SLOT_FULL (~0UL << UNITS | SLOT_COARSE)
#define PAGE_WORDS (DSYNC_PAGE_BYTES / sizeof(long))

static unsigned long *slot_page(unsigned long slot)
{
	return slot & SLOT_COARSE ? NULL : (unsigned long *)slot;
}

/* The unit mask that covers @first to @last, as a coarse slot. */
static unsigned long coarse_slot(unsigned int first, unsigned int last)
{
	unsigned int from = first / UNIT_BITS, to = last / UNIT_BITS;

	return GENMASK(UNITS + to, UNITS + from) | SLOT_COARSE;
}

/* How many bits of page @n exist. */
static unsigned int page_bits(const struct dsync_bitmap *bm, unsigned long n)
{
	u64 left = bm->nr_bits - ((u64)n << DSYNC_PAGE_SHIFT);

	return min_t(u64, left, DSYNC_PAGE_BITS);
}

/* A word of a page, from one in native bit order. */
static unsigned long le_word(unsigned long word)
{
#if BITS_PER_LONG == 64
	return (__force unsigned long)cpu_to_le64(word);
#else
	return (__force unsigned long)cpu_to_le32(word);
#endif
}

/* Clears what lies beyond @bits in a page. */
static void cut_page(unsigned long *page, unsigned int bits)
{
	u8 *bytes = (u8 *)page;
	unsigned int whole = bits / 8;

	if (bits == DSYNC_PAGE_BITS)
		return;
	bytes[whole] &= (1U << bits % 8) - 1;
	memset(bytes + whole + 1, 0, DSYNC_PAGE_BYTES - whole - 1);
}

/* Writes out as a page of @bits what a slot without a page stands for. */
static void expand_slot(unsigned long slot, unsigned long *page,
			unsigned int bits)
{
	unsigned int unit;

	for (unit = 0; unit < UNITS; unit++)
		memset((u8 *)page + unit * UNIT_BYTES,
		       slot & BIT(UNITS + unit) ? 0xff : 0, UNIT_BYTES);
	cut_page(page, bits);
}

/*
 * Sets @first to @last in a page that others may be marking too. Hot blocks
 * are only read, so that their cache line stays shared.
 */
static void mark_page(unsigned long *page, unsigned int first,
		      unsigned int last)
{
	unsigned int n = first / BITS_PER_LONG, end = last / BITS_PER_LONG;
	unsigned long mask = ~0UL << first % BITS_PER_LONG;
	bool changed = false;

	for (; n <= end; n++, mask = ~0UL) {
		unsigned long word;

		if (n == end)
			mask &= ~0UL >>
				(BITS_PER_LONG - 1 - last % BITS_PER_LONG);
		word = le_word(mask);
		if ((READ_ONCE(page[n]) & word) == word)
			continue;
		atomic_long_or(word, (atomic_long_t *)&page[n]);
		changed = true;
	}
	if (changed) {
		/* The bit is to be seen before anything the write causes. */
		smp_mb__after_atomic();
	}
}

/* Sets in a shared page every unit of a coarse slot. */
static void mark_units(unsigned long *page, unsigned long slot,
		       unsigned int bits)
{
	unsigned int unit;

	for (unit = 0; unit < UNITS && unit * UNIT_BITS < bits; unit++)
		if (slot & BIT(UNITS + unit))
			mark_page(page, unit * UNIT_BITS,
				  min((unit + 1) * UNIT_BITS, bits) - 1);
}

static void mark_slot(struct dsync_bitmap *bm, unsigned long n,
		      unsigned int first, unsigned int last)
{
	unsigned long mask = coarse_slot(first, last), *page = NULL;
	unsigned int bits = page_bits(bm, n);
	bool exact = first % UNIT_BITS == 0 &&
		     (last == bits - 1 || (last + 1) % UNIT_BITS == 0);
	unsigned long old = READ_ONCE(bm->slots[n]), new, seen;

	while (!slot_page(old)) {
		if ((old & mask) == mask)
			goto out_page;
		if (!exact && !page)
			page = kmalloc(DSYNC_PAGE_BYTES,
				       GFP_NOWAIT | __GFP_NOWARN);
		new = old | mask;
		if (page) {
			expand_slot(old, page, bits);
			mark_page(page, first, last);
			new = (unsigned long)page;
		} else if (!exact) {
			atomic_long_inc(&bm->coarse);
		}
		seen = cmpxchg(&bm->slots[n], old, new);
		if (seen == old)
			return;
		old = seen;
	}
	mark_page(slot_page(old), first, last);
out_page:
	kfree(page);
}

/**
 * dsync_bitmap_mark() - puts blocks into the set
 * @bm: the set
 * @first: the first block
 * @count: how many; @first + @count must not exceed nr_bits
 *
 * Never fails. Without memory it may take neighbours in, too.
 *
 * Context: any, does not sleep, takes no lock. Safe against other marks and
 * against a merge into this set.
 */
void dsync_bitmap_mark(struct dsync_bitmap *bm, u64 first, u64 count)
{
	u64 end = first + count;

	while (first < end) {
		unsigned long n = first >> DSYNC_PAGE_SHIFT;
		u64 next = min_t(u64, end, (u64)(n + 1) << DSYNC_PAGE_SHIFT);

		mark_slot(bm, n, first % DSYNC_PAGE_BITS,
			  (next - 1) % DSYNC_PAGE_BITS);
		first = next;
	}
}

/* Hands one slot of a quiescent set over to a set that is being marked. */
static void merge_slot(struct dsync_bitmap *into, struct dsync_bitmap *from,
		       unsigned long n)
{
	unsigned long give = from->slots[n], *page = slot_page(give);
	unsigned int bits = page_bits(into, n), i;
	unsigned long old = READ_ONCE(into->slots[n]), new, seen;

	from->slots[n] = 0;
	while (!slot_page(old)) {
		if (old == SLOT_FULL)
			goto out_page;
		new = page ? give : old | give;
		if (page)
			mark_units(page, old, bits);
		seen = cmpxchg(&into->slots[n], old, new);
		if (seen == old)
			return;
		old = seen;
	}
	if (!page) {
		mark_units(slot_page(old), give, bits);
		return;
	}
	for (i = 0; i < PAGE_WORDS; i++)
		if (page[i])
			atomic_long_or(page[i],
				       (atomic_long_t *)&slot_page(old)[i]);
out_page:
	kfree(page);
}

/**
 * dsync_bitmap_merge() - moves all blocks of one set into another
 * @into: gets them; may be marked at the same time
 * @from: gives them and is empty afterwards; quiescent; of the same size
 *
 * Needs no memory, so it cannot fail.
 *
 * Context: may sleep.
 */
void dsync_bitmap_merge(struct dsync_bitmap *into, struct dsync_bitmap *from)
{
	unsigned long n;

	for (n = 0; n < from->nr_pages; n++) {
		if (from->slots[n])
			merge_slot(into, from, n);
		cond_resched();
	}
}

/**
 * dsync_bitmap_create() - makes an empty set
 * @nr_bits: blocks it covers
 *
 * Return: the set, or NULL without memory (or if nr_bits is absurd).
 *
 * Context: may sleep.
 */
struct dsync_bitmap *dsync_bitmap_create(u64 nr_bits)
{
	u64 nr_pages = (nr_bits + DSYNC_PAGE_BITS - 1) >> DSYNC_PAGE_SHIFT;
	struct dsync_bitmap *bm;

	if (nr_pages > INT_MAX / sizeof(*bm->slots))
		return NULL;
	bm = kzalloc(sizeof(*bm), GFP_KERNEL);
	if (!bm)
		return NULL;
	bm->nr_bits = nr_bits;
	bm->nr_pages = nr_pages;
	bm->slots = kvcalloc(nr_pages, sizeof(*bm->slots), GFP_KERNEL);
	if (!bm->slots)
		goto err_free_bitmap;
	return bm;

err_free_bitmap:
	kfree(bm);
	return NULL;
}

/**
 * dsync_bitmap_destroy() - frees a set
 * @bm: the set or NULL; quiescent
 *
 * Context: may sleep.
 */
void dsync_bitmap_destroy(struct dsync_bitmap *bm)
{
	if (!bm)
		return;
	dsync_bitmap_clear(bm);
	kvfree(bm->slots);
	kfree(bm);
}

static void reset_slots(struct dsync_bitmap *bm, unsigned long slot)
{
	unsigned long n;

	for (n = 0; n < bm->nr_pages; n++) {
		unsigned long *page = slot_page(bm->slots[n]);

		bm->slots[n] = slot;
		kfree(page);
		cond_resched();
	}
}

/**
 * dsync_bitmap_clear() - takes all blocks out
 * @bm: the set; quiescent
 *
 * Context: may sleep, needs no memory.
 */
void dsync_bitmap_clear(struct dsync_bitmap *bm)
{
	reset_slots(bm, 0);
}

/**
 * dsync_bitmap_fill() - puts all blocks in
 * @bm: the set; quiescent
 *
 * Context: may sleep, needs no memory.
 */
void dsync_bitmap_fill(struct dsync_bitmap *bm)
{
	reset_slots(bm, SLOT_FULL);
}

/**
 * dsync_bitmap_move() - moves a set into a larger one
 * @into: covers at least as many blocks as @from; what it held is dropped
 * @from: is empty afterwards
 *
 * Where @from ended within a coarse unit, the rest of that unit comes along.
 * Both sets are quiescent.
 *
 * Context: may sleep, needs no memory.
 */
void dsync_bitmap_move(struct dsync_bitmap *into, struct dsync_bitmap *from)
{
	unsigned long n;

	dsync_bitmap_clear(into);
	for (n = 0; n < from->nr_pages; n++) {
		into->slots[n] = from->slots[n];
		from->slots[n] = 0;
	}
	atomic_long_set(&into->coarse, atomic_long_read(&from->coarse));
}

static unsigned int count_slot(const struct dsync_bitmap *bm, unsigned long n)
{
	unsigned long slot = READ_ONCE(bm->slots[n]), *page = slot_page(slot);
	unsigned int bits = page_bits(bm, n), sum = 0, i;

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

/**
 * dsync_bitmap_count() - counts the blocks in some pages of the set
 * @bm: the set
 * @page: the first page
 * @nr_pages: how many; pages beyond the end hold nothing
 *
 * Return: the number of blocks.
 *
 * Context: does not sleep. Safe against marks.
 */
u64 dsync_bitmap_count(const struct dsync_bitmap *bm, unsigned long page,
		       unsigned long nr_pages)
{
	u64 sum = 0;

	for (; nr_pages && page < bm->nr_pages; page++, nr_pages--)
		sum += count_slot(bm, page);
	return sum;
}

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
	unsigned long *before = slot_page(bm->slots[page]);
	unsigned int bits = page_bits(bm, page), sum = 0, i;

	cut_page(buf, bits);
	for (i = 0; i < PAGE_WORDS; i++)
		sum += hweight_long(buf[i]);
	if (sum && sum < bits) {
		bm->slots[page] = (unsigned long)buf;
		return before;
	}
	bm->slots[page] = sum ? SLOT_FULL : 0;
	kfree(before);
	return buf;
}
