/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What is known of the blocks of an image that is being written, and where it
 * is written down: in files of this host, or by way of a channel in those of
 * another (far-ledger.h).
 */
#pragma once

#include <stdint.h>

#include "base/cleanup.h"
#include "repo/sum.h"

struct err;
struct sums;
struct sums_id;
struct sums_view;
struct sums_writer;

struct ledger {
	/*
	 * Fills @sent with what earlier runs have sent of blocks [first,
	 * first + count) to this image, and @under with what is under it.
	 * Asked in ascending order, of all that is to be sent.
	 */
	int (*look_up)(struct ledger *ledger, uint64_t first, uint64_t count,
		       struct sum sent[], struct sum under[], struct err *err);
	/* Writes down what the image gets: behind all that was added before;
	 * what is unknown is left out. */
	int (*add)(struct ledger *ledger, uint64_t first, uint64_t count,
		   const struct sum sums[], struct err *err);
};

/* One of this host's files. */
struct ledger_files {
	struct ledger ledger;
	struct sums_view *under;
	struct sums *sent; /* NULL: nothing */
	struct sums_writer *writer;
	uint64_t written; /* blocks that ->writer has been told of */
};

/*
 * Begins the file @path for the sums of @id's image. Takes @under over, and
 * @sent, which may be NULL, also after a failure. Closed by
 * ledger_files_close().
 */
int ledger_files_open(const char *path, const struct sums_id *id,
		      struct sums_view *under, struct sums *sent,
		      struct ledger_files *ret_files, struct err *err);
/*
 * Nothing comes after what was added, of @nr_blocks. What earlier runs had sent
 * and this one did not look at is in the image still, and so it stays written
 * down, here as between what was added. -EBADMSG: it should have been looked
 * at, as what became of it is not known.
 */
int ledger_files_end(struct ledger_files *files, uint64_t nr_blocks,
		     struct err *err);

/* What can only be looked up: @view, which it takes over. */
void ledger_files_read(struct sums_view *view, struct ledger_files *ret_files);

void ledger_files_close(struct ledger_files *files);
#define _cleanup_ledger_files_ _cleanup_(ledger_files_close)
