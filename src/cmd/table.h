/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What is shown in columns: as wide as what is in them, numbers to the right,
 * colour on a terminal only.  A pipe gets the same text without.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/cleanup.h"

enum table_colour { TABLE_PLAIN, TABLE_GOOD, TABLE_FAIR, TABLE_BAD, TABLE_DIM };

struct table_column {
	const char *title;
	bool right; /* for numbers */
};

struct table;

/* @columns stays with the caller. NULL: out of memory. */
struct table *table_new(const struct table_column *columns, size_t nr_columns);
void table_free(struct table *table);
DEFINE_CLEANUP(struct table *, table_free);
#define _cleanup_table_ _cleanup_(cleanup_table_free)

/*
 * The next cell, line by line. What a terminal would not print, as text from
 * elsewhere may have, becomes a question mark. @table may be NULL.
 */
void table_add(struct table *table, enum table_colour colour,
	       const char *format, ...) __attribute__((format(printf, 3, 4)));

/* On stdout, with the titles above. NULL: says that there was no memory. */
void table_print(const struct table *table);
