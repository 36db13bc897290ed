/* SPDX-License-Identifier: GPL-2.0-only */
/* A set of blocks: one bit each, held in 4 KiB pages that come as needed. */
#ifndef DM_DSYNC_BITMAP_H
#define DM_DSYNC_BITMAP_H

#include <linux/atomic.h>
#include <linux/cache.h>
#include <linux/types.h>

#define DSYNC_PAGE_BYTES 4096U
#define DSYNC_PAGE_BITS (8U * DSYNC_PAGE_BYTES)
#define DSYNC_PAGE_SHIFT 15

/**
 * struct dsync_bitmap - a set of blocks
 * @nr_bits: blocks it covers
 * @nr_pages: slots, one for each DSYNC_PAGE_BITS blocks
 * @coarse: marks that were widened because no memory came at once
 * @slots: a page, or what stands for one (see dm-dsync-bitmap.c)
 * @count: blocks that are in it; while it is marked, late by what is under way
 */
struct dsync_bitmap {
	u64 nr_bits;
	unsigned long nr_pages;
	atomic_long_t coarse;
	unsigned long *slots;

	/* Away from what every write reads */
	atomic64_t count ____cacheline_aligned_in_smp;
};

struct dsync_bitmap *dsync_bitmap_create(u64 nr_bits);
void dsync_bitmap_destroy(struct dsync_bitmap *bm);

void dsync_bitmap_mark(struct dsync_bitmap *bm, u64 first, u64 count);
int dsync_bitmap_mark_exactly(struct dsync_bitmap *bm, u64 first, u64 count,
			      gfp_t gfp);
void dsync_bitmap_merge(struct dsync_bitmap *into, struct dsync_bitmap *from);

void dsync_bitmap_clear(struct dsync_bitmap *bm);
void dsync_bitmap_fill(struct dsync_bitmap *bm);
void dsync_bitmap_move(struct dsync_bitmap *into, struct dsync_bitmap *from);

/* dm-dsync-bits.c */
unsigned long dsync_bitmap_next_page(const struct dsync_bitmap *bm,
				     unsigned long page);
u64 dsync_bitmap_next(const struct dsync_bitmap *bm, u64 first, u64 end);
u64 dsync_bitmap_next_zero(const struct dsync_bitmap *bm, u64 first, u64 end);
void dsync_bitmap_read(const struct dsync_bitmap *bm, unsigned long page,
		       unsigned long *buf);
void dsync_bitmap_get_bytes(const struct dsync_bitmap *bm, u64 pos, void *buf,
			    unsigned int count);
void dsync_bitmap_mark_bytes(struct dsync_bitmap *bm, u64 pos, const void *bits,
			     unsigned int count);
bool dsync_bitmap_any(const struct dsync_bitmap *bm, u64 first, u64 count);
unsigned long *dsync_bitmap_write(struct dsync_bitmap *bm, unsigned long page,
				  unsigned long *buf);

static inline u64 dsync_bitmap_bytes(const struct dsync_bitmap *bm)
{
	return (bm->nr_bits + 7) >> 3;
}

static inline u64 dsync_bitmap_count(const struct dsync_bitmap *bm)
{
	return atomic64_read(&bm->count);
}

#endif
