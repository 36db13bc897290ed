/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What people write for a number of something: 16G, 26h, 10. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/* Bytes, or with one of K, M, G and T behind it: 1 to 2^63. */
bool quantity_bytes(const char *text, uint64_t *ret_bytes);

/* Seconds, or with one of s, m, h, d and w behind it: 1 to 2^32. */
bool quantity_seconds(const char *text, uint64_t *ret_seconds);

/* A decimal number of @min to @max, and nothing behind it. */
bool quantity_number(const char *text, unsigned int min, unsigned int max,
		     unsigned int *ret_number);
