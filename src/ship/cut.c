/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * From what was read to what is sent: per 4 KiB, because that is a block by
 * default and a subcluster of our images, content is skipped (at the word of
 * examine()), zero or data.  Zeroes that follow one another become one request
 * without payload, across pieces, up to a length that the ring of buffers can
 * wait for.
 */

#include "base/zero.h"
#include "ship/pace.h"
#include "ship/pipeline.h"

#define ZERO_RUN_BYTES (8u << 20)

enum kind { SKIP, ZERO, DATA };

/* Size of the unit at @at: less at the end of the disk. */
static size_t unit_bytes(const struct piece *piece, uint64_t at)
{
	uint64_t left = piece->range.size_bytes - at;

	return left < SHIP_UNIT_BYTES ? left : SHIP_UNIT_BYTES;
}

static enum kind kind_of(const struct pipeline *p, const struct piece *piece,
			 uint64_t at)
{
	if (p->skip[at / SHIP_UNIT_BYTES])
		return SKIP;
	if (piece->range.zero)
		return ZERO;
	if (is_zero(piece->read.buffer + at, unit_bytes(piece, at)))
		return ZERO;
	return DATA;
}

/* How long the content at @at is all of one kind. */
static uint64_t segment_bytes(const struct pipeline *p,
			      const struct piece *piece, uint64_t at,
			      enum kind kind)
{
	uint64_t end = at;

	do
		end += unit_bytes(piece, end);
	while (end < piece->range.size_bytes && kind_of(p, piece, end) == kind);
	return end - at;
}

static void finish_if_done(struct pipeline *p, struct piece *piece)
{
	if (piece->pending || piece->cut_bytes < piece->range.size_bytes)
		return;
	piece->done = true;
	p->counts->done_blocks += piece->range.nr_blocks;
	if (p->job->acked)
		p->job->acked(p->job->opaque, piece->range.first_block,
			      piece->range.nr_blocks);
}

void cut_answered(struct pipeline *p, const struct dest_request *request)
{
	for (uint64_t seq = request->first_seq; seq <= request->last_seq;
	     seq++) {
		struct piece *piece = piece_at(p, seq);

		piece->pending--;
		finish_if_done(p, piece);
	}
}

static int send_zeroes(struct pipeline *p)
{
	struct dest_request request = {
		.offset_bytes = p->zeroes.offset_bytes,
		.size_bytes = p->zeroes.size_bytes,
		.first_seq = p->zeroes.first_seq,
		.last_seq = p->zeroes.last_seq,
	};

	if (p->zeroes.size_bytes == 0)
		return 0;
	p->zeroes.size_bytes = 0;
	return dest_send(p->dest, &request, p->err);
}

static int gather_zeroes(struct pipeline *p, uint64_t offset_bytes,
			 uint64_t size_bytes)
{
	struct zero_run *run = &p->zeroes;
	int r = 0;

	if (run->offset_bytes + run->size_bytes != offset_bytes ||
	    run->size_bytes + size_bytes > SHIP_EXAMINE_BYTES)
		r = send_zeroes(p);
	if (r < 0)
		return r;
	if (run->size_bytes == 0)
		*run = (struct zero_run){.offset_bytes = offset_bytes,
					 .first_seq = p->cutting};
	run->size_bytes += size_bytes;
	run->last_seq = p->cutting;
	piece_at(p, p->cutting)->pending++;
	if (run->size_bytes >= ZERO_RUN_BYTES)
		return send_zeroes(p);
	return 0;
}

static int send_data(struct pipeline *p, struct piece *piece, uint64_t at,
		     uint64_t size_bytes)
{
	struct dest_request request = {
		.offset_bytes = piece->range.offset_bytes + at,
		.size_bytes = size_bytes,
		.data = piece->read.buffer + at,
		.first_seq = p->cutting,
		.last_seq = p->cutting,
	};
	int r = send_zeroes(p);

	if (r < 0)
		return r;
	piece->pending++;
	if (p->job->pace)
		pace_take(p->job->pace, size_bytes);
	return dest_send(p->dest, &request, p->err);
}

static bool has_payload(const struct pipeline *p, enum kind kind)
{
	if (!p->dest || kind == SKIP)
		return false;
	return kind == DATA ||
	       (!p->job->dest_is_zero && !p->dest->link.can_zero);
}

/* Whether the pace lets so much payload go; if not, for how long. */
static bool may_send(struct pipeline *p, uint64_t size_bytes)
{
	uint64_t wait_us = 0;

	if (p->job->pace)
		wait_us = pace_wait_us(p->job->pace, p->now_us, size_bytes);
	if (wait_us > UINT32_MAX)
		wait_us = UINT32_MAX;
	p->paused_ms = (wait_us + 999) / 1000;
	return wait_us == 0;
}

/* Deals with the next segment of the piece being cut, unless the pace is
 * against it. */
static int cut_segment(struct pipeline *p, struct piece *piece)
{
	uint64_t at = piece->cut_bytes;
	enum kind kind = kind_of(p, piece, at);
	uint64_t size = segment_bytes(p, piece, at, kind);
	bool payload = has_payload(p, kind);

	if (payload && !may_send(p, size))
		return 0;
	piece->cut_bytes += size;
	if (payload)
		return send_data(p, piece, at, size);
	if (kind == ZERO && p->dest && !p->job->dest_is_zero)
		return gather_zeroes(p, piece->range.offset_bytes + at, size);
	if (kind == ZERO)
		p->counts->zero_bytes += size;
	if (kind == SKIP)
		p->counts->skip_bytes += size;
	return 0;
}

static int fail_read(struct pipeline *p, const struct piece *piece)
{
	return fail_errno(p->err, foreign_errno(-piece->read.result),
			  "%s: read of %llu bytes at %llu", p->source->name,
			  (unsigned long long)piece->range.size_bytes,
			  (unsigned long long)piece->range.offset_bytes);
}

/* Checks the read and shows it, once, before the piece is cut. */
static int examine(struct pipeline *p, struct piece *piece)
{
	const struct ship_job *job = p->job;
	uint64_t first = piece->range.offset_bytes / SHIP_UNIT_BYTES;
	uint64_t units = (piece->range.size_bytes + SHIP_UNIT_BYTES - 1) /
			 SHIP_UNIT_BYTES;
	bool failed = piece->read.result < 0;

	piece->examined = true;
	memset(p->skip, failed, units * sizeof(*p->skip));
	if (failed && !job->unreadable)
		return fail_read(p, piece);
	if (failed)
		return job->unreadable(job->opaque, first, units,
				       -piece->read.result, p->err);
	if (!piece->range.zero)
		p->counts->read_bytes += piece->range.size_bytes;
	if (!job->examine)
		return 0;
	return job->examine(job->opaque, first, units,
			    piece->range.zero ? NULL : piece->read.buffer,
			    p->skip, p->err);
}

/* A segment may need two requests: gathered zeroes before it, and itself. */
static bool has_room(const struct pipeline *p)
{
	return !p->dest || p->dest->nr_free >= 2;
}

int cut_pieces(struct pipeline *p)
{
	int r = 0;

	p->paused_ms = 0;
	while (p->cutting < p->head && has_room(p)) {
		struct piece *piece = piece_at(p, p->cutting);

		if (piece->read.result == -EINPROGRESS)
			break;
		if (!piece->examined)
			r = examine(p, piece);
		while (r == 0 && has_room(p) && !p->paused_ms &&
		       piece->cut_bytes < piece->range.size_bytes)
			r = cut_segment(p, piece);
		if (r < 0)
			return r;
		if (piece->cut_bytes < piece->range.size_bytes)
			return 0;
		finish_if_done(p, piece);
		p->cutting++;
	}
	/* Nothing will join them soon: nothing is on its way. */
	if (p->cutting == p->head && has_room(p))
		return send_zeroes(p);
	return 0;
}
