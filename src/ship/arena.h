/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Buffers for what is in flight: one ring of bytes, taken at the front and
 * given back at the back.  Memory is bounded by its size, however the
 * requests are cut, and thousands of small ones fit beside a few long ones.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#define ARENA_BYTES ((size_t)32 << 20)

struct arena {
	uint8_t *bytes;
	size_t front; /* the next byte to hand out */
	size_t used;  /* up to front, with what was skipped at the wrap */
};

/* 0 or -ENOMEM. */
int arena_init(struct arena *arena);
void arena_destroy(struct arena *arena);

/*
 * Takes @size_bytes (a multiple of the page size) in one piece, NULL if there
 * is no room now. @ret_charge is to be given back, in the order of taking.
 */
uint8_t *arena_take(struct arena *arena, size_t size_bytes, size_t *ret_charge);
void arena_give_back(struct arena *arena, size_t charge);
