/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Anonymous pages rather than malloc: they are aligned for O_DIRECT, and a
 * page that was never needed is never taken.
 */
#include "ship/arena.h"

#include <errno.h>
#include <sys/mman.h>

int arena_init(struct arena *arena)
{
	void *bytes = mmap(NULL, ARENA_BYTES, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (bytes == MAP_FAILED)
		return -ENOMEM;
	*arena = (struct arena){.bytes = bytes};
	return 0;
}

void arena_destroy(struct arena *arena)
{
	if (arena->bytes)
		munmap(arena->bytes, ARENA_BYTES);
	arena->bytes = NULL;
}

uint8_t *arena_take(struct arena *arena, size_t size_bytes, size_t *ret_charge)
{
	size_t skipped = 0;

	if (arena->used == 0)
		arena->front = 0;
	if (arena->front + size_bytes > ARENA_BYTES)
		skipped = ARENA_BYTES - arena->front;
	if (arena->used + skipped + size_bytes > ARENA_BYTES)
		return NULL;
	arena->used += skipped + size_bytes;
	arena->front = (arena->front + skipped) % ARENA_BYTES + size_bytes;
	*ret_charge = skipped + size_bytes;
	return arena->bytes + arena->front - size_bytes;
}

void arena_give_back(struct arena *arena, size_t charge)
{
	arena->used -= charge;
}
