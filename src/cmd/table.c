/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Bold titles and colours are left to NO_COLOR (no-color.org) and TERM. */
#include "cmd/table.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <wchar.h>
#include <wctype.h>

#define GAP 2

struct cell {
	char *text; /* NULL: there was no memory for it */
	enum table_colour colour;
	int width; /* on a terminal */
};

struct table {
	const struct table_column *columns;
	size_t nr_columns;
	struct cell *cells;
	size_t nr_cells;
};

struct table *table_new(const struct table_column *columns, size_t nr_columns)
{
	struct table *table = calloc(1, sizeof(*table));

	if (table)
		*table = (struct table){.columns = columns,
					.nr_columns = nr_columns};
	return table;
}

void table_free(struct table *table)
{
	for (size_t i = 0; table && i < table->nr_cells; i++)
		free(table->cells[i].text);
	if (table)
		free(table->cells);
	free(table);
}

/* Makes @text harmless, in place, and returns how wide it is. */
static int settle(char *text)
{
	mbstate_t state = {0};
	size_t left = strlen(text);
	int width = 0;

	while (left) {
		wchar_t wide;
		size_t length = mbrtowc(&wide, text, left, &state);
		bool known = length && length <= left;

		if (!known || !iswprint(wide)) {
			length = known ? length : 1;
			memset(text, '?', length);
			memset(&state, 0, sizeof(state));
			width += length;
		} else {
			width += wcwidth(wide);
		}
		text += length;
		left -= length;
	}
	return width;
}

void table_add(struct table *table, enum table_colour colour,
	       const char *format, ...)
{
	struct cell cell = {.colour = colour};
	struct cell *cells;
	va_list ap;

	if (!table)
		return;
	cells = reallocarray(table->cells, table->nr_cells + 1, sizeof(*cells));
	if (!cells)
		return;
	table->cells = cells;
	va_start(ap, format);
	if (vasprintf(&cell.text, format, ap) < 0)
		cell.text = NULL;
	va_end(ap);
	cell.width = cell.text ? settle(cell.text) : 0;
	table->cells[table->nr_cells++] = cell;
}

/* ---------------------------------------------------------------- printing */

static bool is_coloured(void)
{
	const char *no_colour = getenv("NO_COLOR"), *term = getenv("TERM");

	return isatty(STDOUT_FILENO) && !(no_colour && *no_colour) && term &&
	       strcmp(term, "dumb") != 0;
}

static int column_width(const struct table *table, size_t column)
{
	int width = strlen(table->columns[column].title);

	for (size_t i = column; i < table->nr_cells; i += table->nr_columns)
		if (table->cells[i].width > width)
			width = table->cells[i].width;
	return width;
}

/* Spaces are never coloured, and none stand at the end of a line. */
static void print_cell(const char *text, int text_width, int column_width,
		       bool right, bool last, const char *colour)
{
	int space = column_width - text_width;

	printf("%*s%s%s%s%*s", right ? space : 0, "", colour, text,
	       *colour ? "\033[0m" : "", right || last ? 0 : space, "");
	printf("%*s", last ? 0 : GAP, "");
}

void table_print(const struct table *table)
{
	static const char *const colours[] = {
		[TABLE_PLAIN] = "",        [TABLE_GOOD] = "\033[32m",
		[TABLE_FAIR] = "\033[33m", [TABLE_BAD] = "\033[1;31m",
		[TABLE_DIM] = "\033[2m",
	};
	bool coloured = is_coloured();

	if (!table) {
		puts("out of memory");
		return;
	}
	for (size_t i = 0; i < table->nr_columns + table->nr_cells; i++) {
		size_t column = i % table->nr_columns;
		bool title = i < table->nr_columns;
		const struct cell *cell =
			title ? NULL : &table->cells[i - table->nr_columns];
		const char *text = title ? table->columns[column].title
					 : cell->text;
		bool last = column + 1 == table->nr_columns;

		print_cell(text ? text : "?",
			   title ? (int)strlen(text) : cell->width,
			   column_width(table, column),
			   table->columns[column].right, last,
			   !coloured ? ""
			   : title   ? "\033[1m"
				     : colours[cell->colour]);
		if (last)
			putchar('\n');
	}
}
