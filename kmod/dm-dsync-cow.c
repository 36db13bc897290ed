// SPDX-License-Identifier: GPL-2.0-only
/*
 * The store of a hold: where the old content of a block was copied to.
 *
 * Notes on the design of this file:
 *
 * Places in the store are given out in their order, so that neighbours that
 * are copied together lie together, and none is given out twice: what a reader
 * has found stays true. The index is a hash table of single words,
 *
 *	 63                place_bits                    0
 *	+----------------------------+-------------------+
 *	|           block            |     place + 1     |    0: free
 *	+----------------------------+-------------------+
 *
 * with open addressing: to publish a copy is to write one word, and a reader
 * needs nothing but RCU. Eight neighbours share a cache line where they can.
 * The table doubles before it is more than 3/4 full, by a new one that takes
 * its place: at most 21.3 bytes for each copied block, and 32 while the old one
 * still exists. A reader that still looks at the old one misses what was
 * published after it began; see dm-dsync-hold.c for why it may.
 *
 * There is room in a word for 2^place_bits - 2 places: with blocks of 4 KiB,
 * 16 TiB of store for a disk of 16 TiB.
 */
#include <linux/atomic.h>
#include <linux/bitops.h>
#include <linux/compiler.h>
#include <linux/errno.h>
#include <linux/kernel.h>
#include <linux/log2.h>
#include <linux/mm.h>
#include <linux/rcupdate.h>
#include <linux/slab.h>

#include "dm-dsync-cow.h"

#define FIRST_SHIFT 8
#define LINE_SHIFT 3

/**
 * struct dsync_cow_index - the hash table
 * @rcu: frees it
 * @shift: log2 of its words
 * @words: see above
 */
struct dsync_cow_index {
	struct rcu_head rcu;
	unsigned int shift;
	atomic64_t words[];
};

/* Of a word; the next ones follow if it is taken. */
static u64 home_of(const struct dsync_cow_index *index, u64 block)
{
	u64 line = (block >> LINE_SHIFT) * 0x61c8864680b583ebULL;

	return line >> (64 + LINE_SHIFT - index->shift) << LINE_SHIFT |
	       (block & ((1U << LINE_SHIFT) - 1));
}

static struct dsync_cow_index *create_index(unsigned int shift)
{
	struct dsync_cow_index *index;
	size_t words = (sizeof(*index) >> 3) + ((size_t)1 << shift);

	index = kvcalloc(words, sizeof(u64),
			 GFP_KERNEL | __GFP_NOWARN | __GFP_NORETRY);
	if (index)
		index->shift = shift;
	return index;
}

static void insert(struct dsync_cow_index *index, u64 block, u64 word)
{
	u64 mask = (1ULL << index->shift) - 1, at = home_of(index, block);

	while (atomic64_read(&index->words[at]))
		at = (at + 1) & mask;
	atomic64_set(&index->words[at], word);
}

/* Makes room for @count more blocks. */
static int grow(struct dsync_cow *cow, u64 count)
{
	struct dsync_cow_index *old = rcu_dereference_protected(cow->index, 1);
	unsigned int shift = old->shift;
	struct dsync_cow_index *new;
	u64 i, word;

	while (cow->nr_taken + count > 3ULL << shift >> 2)
		shift++;
	if (shift == old->shift)
		return 0;
	new = create_index(shift);
	if (!new)
		return -ENOMEM;
	for (i = 0; i < 1ULL << old->shift; i++) {
		word = atomic64_read(&old->words[i]);
		if (word)
			insert(new, word >> cow->place_bits, word);
		if (i % 65536 == 0)
			cond_resched();
	}
	rcu_assign_pointer(cow->index, new);
	kvfree_rcu(old, rcu);
	return 0;
}

/**
 * dsync_cow_create() - makes an empty store
 * @nr_blocks: of the device that is copied from
 * @room: blocks that fit on the device that is copied to
 *
 * Return: the store, or NULL without memory.
 *
 * Context: may sleep.
 */
struct dsync_cow *dsync_cow_create(u64 nr_blocks, u64 room)
{
	struct dsync_cow *cow = kzalloc(sizeof(*cow), GFP_KERNEL);
	struct dsync_cow_index *index;

	if (!cow)
		return NULL;
	cow->place_bits = 63 - ilog2((nr_blocks - 1) | 1);
	cow->nr_places = min_t(u64, room, (1ULL << cow->place_bits) - 2);
	index = create_index(FIRST_SHIFT);
	if (!index)
		goto err_free_cow;
	RCU_INIT_POINTER(cow->index, index);
	return cow;

err_free_cow:
	kfree(cow);
	return NULL;
}

/**
 * dsync_cow_destroy() - frees a store
 * @cow: the store or NULL; not used by anybody
 *
 * Context: may sleep.
 */
void dsync_cow_destroy(struct dsync_cow *cow)
{
	if (!cow)
		return;
	kvfree(rcu_dereference_protected(cow->index, 1));
	kfree(cow);
}

/**
 * dsync_cow_take() - gets places that lie together
 * @cow: the store
 * @count: how many
 * @ret_place: becomes the first
 *
 * The index has room for as many blocks then.
 *
 * Return: 0; -ENOSPC if the store is full; -ENOMEM.
 *
 * Context: may sleep; one caller at a time, of this and dsync_cow_publish().
 */
int dsync_cow_take(struct dsync_cow *cow, unsigned int count, u64 *ret_place)
{
	int r;

	if (count > cow->nr_places - cow->nr_taken)
		return -ENOSPC;
	r = grow(cow, count);
	if (r)
		return r;
	*ret_place = cow->nr_taken;
	WRITE_ONCE(cow->nr_taken, cow->nr_taken + count);
	return 0;
}

/**
 * dsync_cow_publish() - lets a copy be found
 * @cow: the store
 * @block: that was copied; once
 * @place: where to, as taken
 *
 * It is seen by all who see anything that the caller does afterwards.
 *
 * Context: does not sleep; one caller at a time.
 */
void dsync_cow_publish(struct dsync_cow *cow, u64 block, u64 place)
{
	insert(rcu_dereference_protected(cow->index, 1), block,
	       block << cow->place_bits | (place + 1));
	WRITE_ONCE(cow->nr_found, cow->nr_found + 1);
	smp_mb(); /* pairs with those who look after a read has completed */
}

/**
 * dsync_cow_find() - looks for the copy of a block
 * @cow: the store
 * @block: the block
 *
 * Return: its place, or DSYNC_NO_PLACE.
 *
 * Context: RCU read section.
 */
u64 dsync_cow_find(const struct dsync_cow *cow, u64 block)
{
	const struct dsync_cow_index *index = rcu_dereference(cow->index);
	u64 mask = (1ULL << index->shift) - 1, at = home_of(index, block), word;

	while ((word = atomic64_read(&index->words[at]))) {
		if (word >> cow->place_bits == block)
			return (word & ((1ULL << cow->place_bits) - 1)) - 1;
		at = (at + 1) & mask;
	}
	return DSYNC_NO_PLACE;
}
