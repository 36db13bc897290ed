/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which range of the disk comes next: the map, cut into pieces. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct ship_dest;
struct ship_job;
struct ship_source;
struct err;

/* Longest read and longest write with payload. */
#define PLAN_MAX_BYTES (1u << 20)

struct plan {
	struct ship_source *source;
	const struct ship_job *job;
	bool use_extents;    /* the source is asked for zeroes */
	uint32_t max_bytes;  /* of a piece that is read */
	uint64_t run_first;  /* blocks of the map's present run ... */
	uint64_t run_left;   /* ... that are still to be planned */
	uint64_t next_block; /* behind the present run */
	uint64_t end_block;  /* of the job */
	uint64_t nr_disk_blocks;
};

/* One range to deal with. */
struct plan_piece {
	uint64_t first_block;
	uint64_t nr_blocks;
	uint64_t offset_bytes;
	uint64_t size_bytes; /* short at the end of the disk */
	bool zero;           /* known without reading */
};

/*
 * Checks @job against source and destination (NULL: none), and begins.
 * -EINVAL, -ESTALE, -EOPNOTSUPP.
 */
int plan_init(struct plan *plan, struct ship_source *source,
	      const struct ship_dest *dest, const struct ship_job *job,
	      struct err *err);

/* Blocks of the job. */
uint64_t plan_count(const struct plan *plan);

/*
 * Looks at the next piece. 1: @ret_piece; 0: there is none left; -EAGAIN: the
 * source has to say first where its zeroes are.
 */
int plan_peek(struct plan *plan, struct plan_piece *ret_piece);

/* Goes on behind the piece that plan_peek() gave. */
void plan_take(struct plan *plan, const struct plan_piece *piece);
