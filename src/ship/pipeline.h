/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The state of one run, shared by the loop (ship.c) and the cutting of what
 * was read into requests (cut.c).
 *
 *	     tail            cutting              head
 *	      |                 |                   |
 *	 free |  sent, waiting  |  reading or read  | free
 *	      |  for answers    |  waiting its turn |
 *
 * Pieces are numbered in ascending order of the disk and live in a ring.
 * Reads and answers come in any order; cutting goes in order, because only so
 * neighbouring zeroes of several pieces can become one request and examine()
 * can write its sums as a list.
 */
#pragma once

#include "base/err.h"
#include "ship/arena.h"
#include "ship/dest.h"
#include "ship/plan.h"
#include "ship/source.h"

/* As many as there can be requests; their bytes are bounded by the arena. */
#define NR_PIECES DEST_MAX_REQUESTS

struct piece {
	struct plan_piece range;
	struct ship_read read;
	size_t arena_charge;
	uint64_t cut_bytes;   /* of range, so far */
	unsigned int pending; /* requests it waits for, the gathered included */
	bool examined;
	bool done;
};

/* Neighbouring zeroes that are not sent yet. */
struct zero_run {
	uint64_t offset_bytes, size_bytes; /* size 0: none */
	uint64_t first_seq, last_seq;
};

struct pipeline {
	struct ship_source *source;
	struct ship_dest *dest; /* NULL: read and examine only */
	const struct ship_job *job;
	struct ship_counts *counts;
	struct err *err;

	struct plan plan;
	bool planned; /* there is nothing more to read */
	struct arena arena;
	uint64_t head, cutting, tail;
	struct piece pieces[NR_PIECES];
	struct zero_run zeroes;
	/* For examine(), of the piece being cut. */
	bool skip[SHIP_EXAMINE_UNITS];

	int64_t now_us;         /* when this round began */
	unsigned int paused_ms; /* the pace lets nothing go for so long */
	uint64_t answers;       /* of both ends, at last_answer_ms */
	int64_t last_answer_ms, last_progress_ms;
};

static inline struct piece *piece_at(struct pipeline *p, uint64_t seq)
{
	return &p->pieces[seq % NR_PIECES];
}

/*
 * Cuts pieces into requests and sends them, as far as they were read and the
 * destination has room.
 */
int cut_pieces(struct pipeline *p);

/* An answer less for the pieces of @request. */
void cut_answered(struct pipeline *p, const struct dest_request *request);
