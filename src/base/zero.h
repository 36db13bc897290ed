/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Whether there is nothing but zeroes. Compared with itself, shifted by a word,
 * memory is looked at as fast as memcmp(3) can: about as fast as it is read.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* @size_bytes is 8 at least. */
static inline bool is_zero(const uint8_t *data, size_t size_bytes)
{
	uint64_t head;

	memcpy(&head, data, sizeof(head));
	return head == 0 && memcmp(data, data + sizeof(head),
				   size_bytes - sizeof(head)) == 0;
}
