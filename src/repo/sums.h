/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a point's image was given: REPO/DOMAIN/disks/<target>/<point>.sums, the
 * sum of every block that is in that image and not in the ones under it.
 *
 * It is written while the blocks are sent, from the very buffers, and is made
 * durable after them.  So it says what the source had read: an image that
 * reads differently later has changed.
 */
#pragma once

#include <stdint.h>

#include "base/cleanup.h"
#include "repo/sum.h"

struct err;

/* Whose sums: all strings stay with the caller. */
struct sums_id {
	const char *repo_id;
	const char *domain_uuid;
	const char *target; /* vda */
	const char *point;
	const char *backing; /* point under it, "": standalone */
	uint64_t size_bytes; /* of the disk */
};

/* -------------------------------------------------------------- writing */

struct sums_writer;

/* Makes @path anew. Closed by sums_writer_close(). */
int sums_writer_open(const char *path, const struct sums_id *id,
		     struct sums_writer **ret_writer, struct err *err);

/*
 * Adds blocks [first, first + count), which lie behind all added before.
 * Those whose sum is unknown are left out.
 */
int sums_writer_add(struct sums_writer *writer, uint64_t first,
		    const struct sum *sums, uint64_t count, struct err *err);

/* Makes all that was added durable, in a file that can be opened. */
int sums_writer_checkpoint(struct sums_writer *writer, struct err *err);

/* The same at the end, and makes the file read-only. */
int sums_writer_finish(struct sums_writer *writer, struct err *err);

void sums_writer_close(struct sums_writer *writer);
DEFINE_CLEANUP(struct sums_writer *, sums_writer_close);
#define _cleanup_sums_writer_ _cleanup_(cleanup_sums_writer_close)

/* -------------------------------------------------------------- reading */

struct sums;

/*
 * Opens the finished file @path, which must be about @id (whatever its image
 * is over, which sums_backing() tells): -EBADMSG if it is damaged or about
 * something else, -ENOENT if it is not there.
 */
int sums_open(const char *path, const struct sums_id *id,
	      struct sums **ret_sums, struct err *err);
void sums_close(struct sums *sums);
DEFINE_CLEANUP(struct sums *, sums_close);
#define _cleanup_sums_ _cleanup_(cleanup_sums_close)

/*
 * Fills those of the @count entries of @sums that are unknown and that the
 * file knows; entry 0 is block @first. Fast in ascending order. Returns how
 * many that were. -EBADMSG: the file is damaged here.
 */
int64_t sums_look_up(struct sums *file, uint64_t first, uint64_t count,
		     struct sum *sums, struct err *err);

/*
 * The next blocks at or after @from of which the file knows: at most
 * @max_blocks of one kind. Returns 1, 0 at the end, or an error.
 */
int sums_next_run(struct sums *file, uint64_t from, uint64_t max_blocks,
		  uint64_t *ret_first, uint64_t *ret_count, struct err *err);

/* The point that the image was over when this was written. */
const char *sums_backing(const struct sums *file);
uint64_t sums_nr_data(const struct sums *file);

/*
 * Writes what @files know, of a block what the first of them says that knows
 * it. Those that are NULL know nothing.
 */
int sums_merge(struct sums *const files[], size_t nr_files, uint64_t size_bytes,
	       struct sums_writer *writer, struct err *err);
