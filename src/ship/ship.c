/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The loop: read ahead as far as the ring of buffers allows, send what was
 * read, wait for either end, take what came.  One thread and one poll(2), so
 * there is nothing to lock; io_uring and the server do the work at the same
 * time.
 *
 * After the first failure nothing new is begun.  What is in flight gets a
 * moment to end, so that the caller hears of every block that did arrive;
 * then both ends are given up, since answers may still be owed on them.
 */
#include <string.h>
#include <time.h>

#include "ship/pipeline.h"

#define ROUND_MS 100       /* the longest sleep, and between progress */
#define DRAIN_MS 3000      /* for what is in flight after a failure */
#define FLUSH_PATIENCE 10u /* times stall_ms */

static int64_t now_us(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * INT64_C(1000000) + now.tv_nsec / 1000;
}

static int64_t now_ms(void)
{
	return now_us() / 1000;
}

static void report(struct pipeline *p, int64_t now)
{
	p->last_progress_ms = now;
	if (p->job->progress)
		p->job->progress(p->job->opaque, p->counts);
}

/* Begins the next piece. 1: begun, 0: not now. */
static int begin_piece(struct pipeline *p)
{
	struct piece *piece = piece_at(p, p->head);
	struct plan_piece range;
	size_t charge = 0, room;
	uint8_t *buffer = NULL;
	int r = plan_peek(&p->plan, &range);

	p->planned = r == 0;
	if (r <= 0)
		return 0;
	room = (range.size_bytes + SHIP_ALIGN - 1) & -(size_t)SHIP_ALIGN;
	if (!range.zero)
		buffer = arena_take(&p->arena, room, &charge);
	if (!range.zero && !buffer)
		return 0;
	plan_take(&p->plan, &range);
	p->head++;
	*piece = (struct piece){.range = range, .arena_charge = charge};
	if (range.zero)
		return 1;
	piece->read = (struct ship_read){
		.offset_bytes = range.offset_bytes,
		.size_bytes = range.size_bytes,
		.buffer = buffer,
		.result = -EINPROGRESS,
	};
	r = p->source->ops->submit(p->source, &piece->read, p->err);
	return r < 0 ? r : 1;
}

static int begin_pieces(struct pipeline *p)
{
	int r = 1;

	while (r > 0 && p->head - p->tail < NR_PIECES &&
	       p->source->in_flight < SHIP_MAX_READS)
		r = begin_piece(p);
	if (r >= 0 && p->source->ops->kick)
		r = p->source->ops->kick(p->source, p->err);
	return r < 0 ? r : 0;
}

static int take_answers(struct pipeline *p)
{
	struct dest_request request;
	int r = 0;

	while (p->dest && dest_next_done(p->dest, &request)) {
		if (request.error) {
			r = dest_fail(p->dest, &request, p->err);
			continue;
		}
		if (request.data) {
			p->counts->writes++;
			p->counts->sent_bytes += request.size_bytes;
		} else {
			p->counts->zero_writes++;
			p->counts->zero_bytes += request.size_bytes;
		}
		cut_answered(p, &request);
	}
	return r;
}

static void retire_pieces(struct pipeline *p)
{
	while (p->tail < p->cutting && piece_at(p, p->tail)->done) {
		arena_give_back(&p->arena, piece_at(p, p->tail)->arena_charge);
		p->tail++;
	}
}

static bool in_flight(const struct pipeline *p)
{
	return p->source->in_flight ||
	       (p->dest && (p->dest->in_flight || p->dest->flushes));
}

static int sleep_ms(const struct pipeline *p)
{
	if (p->paused_ms && p->paused_ms < ROUND_MS)
		return p->paused_ms;
	return p->paused_ms || in_flight(p) ? ROUND_MS : 0;
}

/* Sleeps until either end has something, and lets it happen. */
static int wait_for_ends(struct pipeline *p)
{
	struct pollfd fds[2 * LINK_MAX_CONNECTIONS];
	unsigned int nr_source = p->source->ops->poll_fds(p->source, fds);
	unsigned int nr = nr_source;
	int r;

	if (p->dest)
		nr += link_poll_fds(&p->dest->link, fds + nr);
	if (poll(fds, nr, sleep_ms(p)) < 0) {
		if (errno != EINTR)
			return fail_errno(p->err, -errno, "poll");
		for (unsigned int i = 0; i < nr; i++)
			fds[i].revents = 0;
	}
	r = p->source->ops->dispatch(p->source, fds, p->err);
	if (r == 0 && p->dest)
		r = link_dispatch(&p->dest->link, fds + nr_source, p->err);
	return r;
}

/* After each round: is there a reason to end before the end? */
static int look_around(struct pipeline *p, unsigned int patience_ms)
{
	uint64_t answers =
		p->source->answers + (p->dest ? p->dest->answers : 0);
	int64_t now = now_ms();

	if (now - p->last_progress_ms >= ROUND_MS)
		report(p, now);
	if (p->job->cancelled && *p->job->cancelled)
		return fail(p->err, -EINTR, "interrupted");
	if (answers != p->answers || !in_flight(p)) {
		p->answers = answers;
		p->last_answer_ms = now;
	}
	if (patience_ms == 0 || now - p->last_answer_ms < patience_ms)
		return 0;
	return fail(p->err, -ETIMEDOUT, "%s: no answer for %u s",
		    p->dest && (p->dest->in_flight || p->dest->flushes)
			    ? p->dest->link.name
			    : p->source->name,
		    (patience_ms + 999) / 1000);
}

static int transfer(struct pipeline *p)
{
	int r;

	do {
		p->now_us = now_us();
		r = begin_pieces(p);
		if (r == 0)
			r = cut_pieces(p);
		if (r == 0)
			r = wait_for_ends(p);
		if (r == 0)
			r = take_answers(p);
		retire_pieces(p);
		if (r == 0)
			r = look_around(p, p->job->stall_ms);
	} while (r == 0 && !(p->planned && p->tail == p->head));
	return r;
}

static int flush(struct pipeline *p)
{
	struct ship_dest *dest = p->dest;
	int r;

	if (!dest || !dest->link.can_flush)
		return 0;
	p->last_answer_ms = now_ms();
	r = dest_flush(dest, p->err);
	while (r == 0 && dest->flushes) {
		r = wait_for_ends(p);
		if (r == 0)
			r = look_around(p, p->job->stall_ms * FLUSH_PATIENCE);
	}
	if (r < 0)
		return r;
	if (dest->flush_error)
		return fail_errno(p->err, foreign_errno(dest->flush_error),
				  "%s: flush", dest->link.name);
	p->counts->flushed = true;
	return 0;
}

/*
 * Ends a failed run. A read that hangs in the kernel may still fill its buffer
 * one day: then the ring of buffers is never given back.
 */
static void drain(struct pipeline *p)
{
	int64_t deadline = now_ms();
	struct err ignored = {0};

	if (p->err->code != -ETIMEDOUT)
		deadline += DRAIN_MS;
	p->err = &ignored;
	p->paused_ms = 0;
	while (in_flight(p) && now_ms() < deadline) {
		if (wait_for_ends(p) < 0)
			break;
		(void)take_answers(p);
	}
	(void)take_answers(p);
	p->source->ops->abandon(p->source);
	p->source->abandoned = true;
	if (p->dest)
		dest_abandon(p->dest);
	if (p->source->in_flight)
		p->arena.bytes = NULL;
}

static void pipeline_free(struct pipeline *p)
{
	arena_destroy(&p->arena);
	free(p);
}
DEFINE_CLEANUP(struct pipeline *, pipeline_free);

static int check_usable(const struct pipeline *p)
{
	if (p->source->abandoned)
		return fail(p->err, -ENOTCONN, "%s: not open any more",
			    p->source->name);
	if (p->dest && p->dest->link.nr_handles == 0)
		return fail(p->err, -ENOTCONN, "%s: not connected any more",
			    p->dest->link.name);
	return 0;
}

int ship_run(struct ship_source *source, struct ship_dest *dest,
	     const struct ship_job *job, struct ship_counts *ret_counts,
	     struct err *err)
{
	_cleanup_(cleanup_pipeline_free) struct pipeline *p =
		calloc(1, sizeof(*p));
	struct err own = {0};
	int r;

	*ret_counts = (struct ship_counts){0};
	if (!p || arena_init(&p->arena) < 0)
		return fail(err, -ENOMEM, "%s: out of memory", source->name);
	p->source = source;
	p->dest = dest;
	p->job = job;
	p->counts = ret_counts;
	p->err = err ? err : &own;
	r = check_usable(p);
	if (r == 0)
		r = plan_init(&p->plan, source, dest, job, p->err);
	if (r < 0)
		return r;
	p->counts->blocks = plan_count(&p->plan);
	p->last_answer_ms = p->last_progress_ms = now_ms();
	r = transfer(p);
	if (r == 0)
		r = flush(p);
	if (r < 0)
		drain(p);
	report(p, now_ms());
	return r;
}
