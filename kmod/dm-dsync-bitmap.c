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
#include <linux/errno.h>
#include <linux/kernel.h>
#include <linux/mm.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/string.h>

#include "dm-dsync-slot.h"

/* The unit mask that covers @first to @last, as a coarse slot. */
static unsigned long coarse_slot(unsigned int first, unsigned int last)
{
	unsigned int from = first / UNIT_BITS, to = last / UNIT_BITS;

	return GENMASK(UNITS + to, UNITS + from) | SLOT_COARSE;
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

/*
 * Sets @first to @last in a page that others may be marking too, and returns
 * how many are new. Hot blocks are only read, so that their cache line stays
 * shared.
 */
static unsigned int mark_page(unsigned long *page, unsigned int first,
			      unsigned int last)
{
	unsigned int n = first / BITS_PER_LONG, end = last / BITS_PER_LONG;
	unsigned long mask = ~0UL << first % BITS_PER_LONG;
	unsigned int added = 0;

	for (; n <= end; n++, mask = ~0UL) {
		unsigned long word, seen;

		if (n == end)
			mask &= ~0UL >>
				(BITS_PER_LONG - 1 - last % BITS_PER_LONG);
		word = le_word(mask);
		if ((READ_ONCE(page[n]) & word) == word)
			continue;
		/* Fully ordered: it is seen before what the write causes. */
		seen = atomic_long_fetch_or(word, (atomic_long_t *)&page[n]);
		added += hweight_long(word & ~seen);
	}
	return added;
}

/* Sets in a shared page every unit of a coarse slot. */
static unsigned int mark_units(unsigned long *page, unsigned long slot,
			       unsigned int bits)
{
	unsigned int unit, added = 0;

	for (unit = 0; unit < UNITS && unit * UNIT_BITS < bits; unit++)
		if (slot & BIT(UNITS + unit))
			added += mark_page(page, unit * UNIT_BITS,
					   min((unit + 1) * UNIT_BITS, bits) -
						   1);
	return added;
}

static void count_in(struct dsync_bitmap *bm, unsigned int added)
{
	if (added)
		atomic64_add(added, &bm->count);
}

/*
 * Sets @first to @last, all in one slot. Without memory from @gfp it fails or,
 * if it may @widen, takes in whole units.
 */
static int mark_slot(struct dsync_bitmap *bm, u64 first, u64 last, gfp_t gfp,
		     bool widen)
{
	unsigned long n = first >> DSYNC_PAGE_SHIFT, *page = NULL;
	unsigned int from = first % DSYNC_PAGE_BITS, bits = page_bits(bm, n);
	unsigned int to = last % DSYNC_PAGE_BITS;
	unsigned long mask = coarse_slot(from, to);
	bool exact = from % UNIT_BITS == 0 &&
		     (to == bits - 1 || (to + 1) % UNIT_BITS == 0);
	unsigned long old = READ_ONCE(bm->slots[n]), new, seen;
	unsigned int added;

	while (!slot_page(old)) {
		if ((old & mask) == mask)
			goto out_page;
		if (!exact && !page)
			page = kmalloc(DSYNC_PAGE_BYTES, gfp);
		if (!exact && !page && !widen)
			return -ENOMEM;
		new = old | mask;
		if (page) {
			expand_slot(old, page, bits);
			added = mark_page(page, from, to);
			new = (unsigned long)page;
		} else {
			added = slot_count(new, bits) - slot_count(old, bits);
		}
		seen = cmpxchg(&bm->slots[n], old, new);
		if (seen == old) {
			count_in(bm, added);
			if (!page && !exact)
				atomic_long_inc(&bm->coarse);
			return 0;
		}
		old = seen;
	}
	count_in(bm, mark_page(slot_page(old), from, to));
out_page:
	kfree(page);
	return 0;
}

static int mark(struct dsync_bitmap *bm, u64 first, u64 count, gfp_t gfp,
		bool widen)
{
	u64 end = first + count;
	int r = 0;

	while (first < end && !r) {
		u64 next = min_t(u64, end,
				 round_down(first, DSYNC_PAGE_BITS) +
					 DSYNC_PAGE_BITS);

		r = mark_slot(bm, first, next - 1, gfp, widen);
		first = next;
	}
	return r;
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
	mark(bm, first, count, GFP_NOWAIT | __GFP_NOWARN, true);
}

/**
 * dsync_bitmap_mark_exactly() - puts blocks into the set, and no others
 * @bm: the set
 * @first: the first block
 * @count: how many; @first + @count must not exceed nr_bits
 * @gfp: how to allocate
 *
 * Return: 0, or -ENOMEM: then some of the blocks may be in the set.
 *
 * Context: as @gfp. Safe as dsync_bitmap_mark() is.
 */
int dsync_bitmap_mark_exactly(struct dsync_bitmap *bm, u64 first, u64 count,
			      gfp_t gfp)
{
	return mark(bm, first, count, gfp, false);
}

/* Puts a private page into a shared one; returns how many blocks are new. */
static unsigned int mark_all(unsigned long *page, const unsigned long *give)
{
	unsigned int added = 0, i;
	unsigned long seen;

	for (i = 0; i < PAGE_WORDS; i++) {
		if (!give[i])
			continue;
		seen = atomic_long_fetch_or(give[i], (atomic_long_t *)&page[i]);
		added += hweight_long(give[i] & ~seen);
	}
	return added;
}

/* Hands one slot of a quiescent set over to a set that is being marked. */
static void merge_slot(struct dsync_bitmap *into, struct dsync_bitmap *from,
		       unsigned long n)
{
	unsigned long give = from->slots[n], *page = slot_page(give);
	unsigned long old = READ_ONCE(into->slots[n]), new, seen;
	unsigned int bits = page_bits(into, n), added;

	from->slots[n] = 0;
	while (!slot_page(old)) {
		if (old == SLOT_FULL)
			goto out_page;
		new = page ? give : old | give;
		if (page)
			mark_units(page, old, bits);
		added = slot_count(new, bits) - slot_count(old, bits);
		seen = cmpxchg(&into->slots[n], old, new);
		if (seen == old) {
			count_in(into, added);
			return;
		}
		old = seen;
	}
	if (page)
		added = mark_all(slot_page(old), page);
	else
		added = mark_units(slot_page(old), give, bits);
	count_in(into, added);
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
	atomic64_set(&from->count, 0);
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
	atomic64_set(&bm->count, slot ? bm->nr_bits : 0);
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
	u64 count = 0;

	dsync_bitmap_clear(into);
	for (n = 0; n < from->nr_pages; n++) {
		into->slots[n] = from->slots[n];
		from->slots[n] = 0;
		count += slot_count(into->slots[n], page_bits(into, n));
	}
	atomic64_set(&into->count, count);
	atomic64_set(&from->count, 0);
	atomic_long_set(&into->coarse, atomic_long_read(&from->coarse));
}
