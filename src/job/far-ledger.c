/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A frame of known sums begins with the unit up to which everything has been
 * said then, so that a block that nothing is said about is not waited for.
 */
#include "job/far-ledger.h"

#include <endian.h>
#include <string.h>

#include "base/err.h"
#include "job/far.h"

#define FLUSH_BYTES (64u << 10)
#define HEADER_BYTES 8

static int ask(struct far_ledger *known, struct err *err)
{
	return channel_send(known->far->channel, FRAME_ASK, NULL, 0, err);
}

static int ask_ahead(struct far_ledger *known, struct err *err)
{
	int r = 0;

	for (int i = 0; i < FAR_MAX_KNOWN && r == 0; i++)
		r = ask(known, err);
	known->asked = true;
	return r;
}

/* The next frame takes the place of the one that was read to its end. */
static int next_frame(struct far_ledger *known, struct err *err)
{
	struct far *far = known->far;
	struct far_known frame;
	uint64_t covered;
	int r = far_await_known(far, err);

	if (r < 0)
		return r;
	frame = far->known[0];
	far->nr_known--;
	memmove(far->known, far->known + 1, far->nr_known * sizeof(frame));
	free(known->data);
	known->data = frame.data;
	if (frame.size_bytes < HEADER_BYTES)
		return fail(err, -EPROTO, "%s: speaks nonsense", far->location);
	memcpy(&covered, frame.data, sizeof(covered));
	covered = le64toh(covered);
	if (covered <= known->covered || covered > known->nr_units)
		return fail(err, -EPROTO, "%s: speaks nonsense", far->location);
	known->in = (struct far_sums_in){.data = frame.data + HEADER_BYTES,
					 .size_bytes = frame.size_bytes -
						       HEADER_BYTES,
					 .nr_columns = 2,
					 .nr_blocks = covered,
					 .at = known->covered};
	known->covered = covered;
	return covered < known->nr_units ? ask(known, err) : 0;
}

/* Passes over what nobody asked about. */
static int skip_to(struct far_ledger *known, uint64_t first, uint64_t *at,
		   struct err *err)
{
	struct sum sums[2];
	int64_t n = 1;

	while (n > 0 && (n = far_peek_sums(&known->in, at, err)) > 0 &&
	       *at < first)
		n = far_get_sums(&known->in, 1, at,
				 (struct sum *const[]){&sums[0], &sums[1]},
				 err);
	return n;
}

/* Takes what the frame says of [first, end). */
static int read_frame(struct far_ledger *known, uint64_t first, uint64_t end,
		      struct sum sent[], struct sum under[], struct err *err)
{
	uint64_t at;
	int64_t n;

	for (;;) {
		n = skip_to(known, first, &at, err);
		if (n <= 0 || at >= end)
			return n < 0 ? (int)n : 0;
		n = far_get_sums(&known->in, end - at, &at,
				 (struct sum *const[]){sent + (at - first),
						       under + (at - first)},
				 err);
		if (n < 0)
			return n;
	}
}

static int look_up(struct ledger *ledger, uint64_t first, uint64_t count,
		   struct sum sent[], struct sum under[], struct err *err)
{
	struct far_ledger *known = (struct far_ledger *)ledger;
	uint64_t end = first + count;
	int r = known->asked ? 0 : ask_ahead(known, err);

	/* Nothing comes of what is behind the end of the disk. */
	if (end > known->nr_units)
		end = known->nr_units;
	memset(sent, 0, count * sizeof(*sent));
	memset(under, 0, count * sizeof(*under));
	if (r == 0)
		r = read_frame(known, first, end, sent, under, err);
	while (r == 0 && known->covered < end) {
		r = next_frame(known, err);
		if (r == 0)
			r = read_frame(known, first, end, sent, under, err);
	}
	return r;
}

int far_ledger_flush(struct far_ledger *known, struct err *err)
{
	int r = 0;

	if (known->out.bytes.used)
		r = channel_send(known->far->channel, FRAME_ADD,
				 known->out.bytes.data, known->out.bytes.used,
				 err);
	known->out.bytes.used = 0;
	return r;
}

static int add(struct ledger *ledger, uint64_t first, uint64_t count,
	       const struct sum sums[], struct err *err)
{
	struct far_ledger *known = (struct far_ledger *)ledger;
	int r = far_put_sums(&known->out, first, count,
			     (const struct sum *const[]){sums}, err);

	if (r == 0 && known->out.bytes.used >= FLUSH_BYTES)
		r = far_ledger_flush(known, err);
	return r;
}

void far_ledger_init(struct far_ledger *known, struct far *far,
		     uint64_t nr_units)
{
	*known = (struct far_ledger){
		.ledger = {.look_up = look_up, .add = add},
		.far = far,
		.nr_units = nr_units,
		.out = {.nr_columns = 1},
	};
}

void far_ledger_clear(struct far_ledger *known)
{
	free(TAKE_PTR(known->data));
	far_bytes_clear(&known->out.bytes);
}
