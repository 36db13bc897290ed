/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Sums of what is sent are durable after it: sums_writer_checkpoint(). */
#include "job/ledger.h"

#include <string.h>

#include "base/err.h"
#include "repo/sums-view.h"
#include "repo/sums.h"

#define CARRIED_BLOCKS 256

static int look_up(struct ledger *ledger, uint64_t first, uint64_t count,
		   struct sum sent[], struct sum under[], struct err *err)
{
	struct ledger_files *files = (struct ledger_files *)ledger;
	int64_t found = 0;

	memset(sent, 0, count * sizeof(*sent));
	if (files->sent)
		found = sums_look_up(files->sent, first, count, sent, err);
	sums_view_look_up(files->under, first, count, under, NULL);
	return found < 0 ? (int)found : 0;
}

/* Of what earlier runs had sent, @count blocks of one kind. */
static int carry_run(struct ledger_files *files, uint64_t first, uint64_t count,
		     struct err *err)
{
	struct sum sums[CARRIED_BLOCKS] = {0};
	int64_t found = sums_look_up(files->sent, first, count, sums, err);

	if (found < 0)
		return found;
	if (sums[0].kind == SUM_LOST)
		return fail(err, -EBADMSG,
			    "block %llu was sent by an earlier run, it is not "
			    "known how much of it",
			    (unsigned long long)first);
	return sums_writer_add(files->writer, first, sums, count, err);
}

/* Up to the block @end. */
static int carry(struct ledger_files *files, uint64_t end, struct err *err)
{
	uint64_t first, count;
	int r = 0;

	while (files->sent && r == 0 && files->written < end &&
	       (r = sums_next_run(files->sent, files->written, CARRIED_BLOCKS,
				  &first, &count, err)) > 0) {
		if (first >= end)
			break;
		if (count > end - first)
			count = end - first;
		r = carry_run(files, first, count, err);
		files->written = first + count;
	}
	return r < 0 ? r : 0;
}

static int add(struct ledger *ledger, uint64_t first, uint64_t count,
	       const struct sum sums[], struct err *err)
{
	struct ledger_files *files = (struct ledger_files *)ledger;
	int r;

	if (!files->writer)
		return fail(err, -EROFS, "these sums are only read");
	r = carry(files, first, err);
	if (r == 0)
		r = sums_writer_add(files->writer, first, sums, count, err);
	files->written = first + count;
	return r;
}

int ledger_files_end(struct ledger_files *files, uint64_t nr_blocks,
		     struct err *err)
{
	return carry(files, nr_blocks, err);
}

int ledger_files_open(const char *path, const struct sums_id *id,
		      struct sums_view *under, struct sums *sent,
		      struct ledger_files *ret_files, struct err *err)
{
	*ret_files = (struct ledger_files){
		.ledger = {.look_up = look_up, .add = add},
		.under = under,
		.sent = sent,
	};
	return sums_writer_open(path, id, &ret_files->writer, err);
}

void ledger_files_read(struct sums_view *view, struct ledger_files *ret_files)
{
	*ret_files = (struct ledger_files){
		.ledger = {.look_up = look_up, .add = add},
		.under = view,
	};
}

void ledger_files_close(struct ledger_files *files)
{
	sums_view_close(TAKE_PTR(files->under));
	sums_close(TAKE_PTR(files->sent));
	sums_writer_close(TAKE_PTR(files->writer));
}
