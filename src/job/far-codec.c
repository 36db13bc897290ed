/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Runs are as long as their kinds are the same: a disk's zeroes are one. */
#include "job/far-codec.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/bitmap.h"
#include "base/err.h"

#define NUMBER_MAX_BYTES 10

/* -------------------------------------------------------------- numbers */

void far_bytes_clear(struct far_bytes *bytes)
{
	free(bytes->data);
	*bytes = (struct far_bytes){0};
}

int far_put_bytes(struct far_bytes *to, const void *data, size_t size_bytes,
		  struct err *err)
{
	if (to->room - to->used < size_bytes) {
		size_t room = (to->used + size_bytes) * 2;
		uint8_t *more = realloc(to->data, room);

		if (!more)
			return fail(err, -ENOMEM, "out of memory");
		to->data = more;
		to->room = room;
	}
	if (size_bytes)
		memcpy(to->data + to->used, data, size_bytes);
	to->used += size_bytes;
	return 0;
}

static int put_number(struct far_bytes *to, uint64_t value, struct err *err)
{
	uint8_t bytes[NUMBER_MAX_BYTES];
	size_t n = 0;

	for (; value >= 0x80; value >>= 7)
		bytes[n++] = 0x80 | (value & 0x7f);
	bytes[n++] = value;
	return far_put_bytes(to, bytes, n, err);
}

static bool get_number(const uint8_t **data, size_t *left, uint64_t *ret_value)
{
	*ret_value = 0;
	for (unsigned int shift = 0; *left && shift < 64; shift += 7) {
		uint8_t byte = **data;

		(*data)++;
		(*left)--;
		if (shift == 63 && byte > 1)
			return false;
		*ret_value |= (uint64_t)(byte & 0x7f) << shift;
		if (!(byte & 0x80))
			return true;
	}
	return false;
}

static int nonsense(struct err *err)
{
	return fail(err, -EPROTO, "the other side speaks nonsense");
}

/* A run of blocks behind @at, on a disk of @nr_blocks. */
static bool get_run(const uint8_t **data, size_t *left, uint64_t at,
		    uint64_t nr_blocks, uint64_t *ret_first,
		    uint64_t *ret_count)
{
	uint64_t gap;

	if (!get_number(data, left, &gap) ||
	    !get_number(data, left, ret_count) || gap > nr_blocks - at)
		return false;
	*ret_first = at + gap;
	return *ret_count && *ret_count <= nr_blocks - *ret_first;
}

/* ----------------------------------------------------------------- sets */

int far_put_map(struct far_bytes *to, const struct bitmap *map, struct err *err)
{
	uint64_t at = 0, first, count;
	int r = 0;

	while (r == 0 && (count = bitmap_next_run(map, at, 0, &first))) {
		r = put_number(to, first - at, err);
		if (r == 0)
			r = put_number(to, count, err);
		at = first + count;
	}
	return r;
}

int far_get_map(const uint8_t *data, size_t size_bytes, struct bitmap *map,
		struct err *err)
{
	uint64_t at = 0, first, count;

	while (size_bytes) {
		if (!get_run(&data, &size_bytes, at, map->nr_blocks, &first,
			     &count))
			return nonsense(err);
		bitmap_set(map, first, count);
		at = first + count;
	}
	return 0;
}

/* ----------------------------------------------------------------- sums */

static bool same_kinds(const struct sum *const columns[], unsigned int nr,
		       uint64_t a, uint64_t b)
{
	for (unsigned int i = 0; i < nr; i++)
		if (columns[i][a].kind != columns[i][b].kind)
			return false;
	return true;
}

static bool all_unknown(const struct sum *const columns[], unsigned int nr,
			uint64_t a)
{
	for (unsigned int i = 0; i < nr; i++)
		if (columns[i][a].kind != SUM_UNKNOWN)
			return false;
	return true;
}

/* Entries [from, to) are of the same kinds. */
static int put_run(struct far_sums_out *to, uint64_t first,
		   const struct sum *const columns[], uint64_t from,
		   uint64_t end, struct err *err)
{
	int r = put_number(&to->bytes, first + from - to->at, err);

	if (r == 0)
		r = put_number(&to->bytes, end - from, err);
	for (unsigned int i = 0; r == 0 && i < to->nr_columns; i++)
		r = far_put_bytes(&to->bytes, &columns[i][from].kind, 1, err);
	for (uint64_t block = from; r == 0 && block < end; block++)
		for (unsigned int i = 0; r == 0 && i < to->nr_columns; i++)
			if (columns[i][block].kind == SUM_DATA)
				r = far_put_bytes(&to->bytes,
						  columns[i][block].bytes,
						  SUM_BYTES, err);
	to->at = first + end;
	return r;
}

int far_put_sums(struct far_sums_out *to, uint64_t first, uint64_t count,
		 const struct sum *const columns[], struct err *err)
{
	uint64_t end;
	int r = 0;

	for (uint64_t from = 0; from < count && r == 0; from = end) {
		for (end = from + 1; end < count; end++)
			if (!same_kinds(columns, to->nr_columns, from, end))
				break;
		if (!all_unknown(columns, to->nr_columns, from))
			r = put_run(to, first, columns, from, end, err);
	}
	return r;
}

/* The head of the next run, if there is one. */
static int begin_run(struct far_sums_in *from, struct err *err)
{
	uint64_t first;

	if (!get_run(&from->data, &from->size_bytes, from->at, from->nr_blocks,
		     &first, &from->left) ||
	    from->size_bytes < from->nr_columns)
		return nonsense(err);
	from->at = first;
	for (unsigned int i = 0; i < from->nr_columns; i++) {
		from->kinds[i] = from->data[i];
		if (from->kinds[i] > SUM_LOST)
			return nonsense(err);
	}
	from->data += from->nr_columns;
	from->size_bytes -= from->nr_columns;
	return 0;
}

static int get_one(struct far_sums_in *from, uint8_t kind, struct sum *ret_sum,
		   struct err *err)
{
	*ret_sum = (struct sum){.kind = kind};
	if (kind != SUM_DATA)
		return 0;
	if (from->size_bytes < SUM_BYTES)
		return nonsense(err);
	memcpy(ret_sum->bytes, from->data, SUM_BYTES);
	from->data += SUM_BYTES;
	from->size_bytes -= SUM_BYTES;
	return 0;
}

int far_peek_sums(struct far_sums_in *from, uint64_t *ret_at, struct err *err)
{
	int r = 0;

	if (!from->left && !from->size_bytes)
		return 0;
	if (!from->left)
		r = begin_run(from, err);
	*ret_at = from->at;
	return r < 0 ? r : 1;
}

int64_t far_get_sums(struct far_sums_in *from, uint64_t max,
		     uint64_t *ret_first, struct sum *const columns[],
		     struct err *err)
{
	uint64_t count;
	int r = far_peek_sums(from, ret_first, err);
	if (r <= 0)
		return r;
	count = from->left < max ? from->left : max;
	for (uint64_t block = 0; block < count; block++)
		for (unsigned int i = 0; i < from->nr_columns; i++) {
			r = get_one(from, from->kinds[i], &columns[i][block],
				    err);
			if (r < 0)
				return r;
		}
	from->left -= count;
	from->at += count;
	return count;
}
