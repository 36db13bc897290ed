/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Merging a stream of dsync-vm extract into a copy of the disk, a block device
 * or a raw file.  What was written stays written whatever happens: the next
 * stream begins with the same blocks.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "job/stream.h"

struct err;
struct ui;

struct merge_request {
	int fd; /* where the stream comes from */
	const char *path;
	bool force; /* what is there may be overwritten by a whole disk */
};

struct merge_report {
	struct stream_about about;
	uint64_t data_bytes, zero_bytes; /* written */
	uint64_t spent_ms;
};

/*
 * Writes the stream and has it durable. -EIO: the stream is not whole;
 * -EBADMSG: it is damaged; -ESTALE: @path is of another size; -EBUSY:
 * somebody uses it; -EEXIST: there is something on it.
 */
int merge_run(const struct merge_request *request,
	      struct merge_report *ret_report, struct ui *ui, struct err *err);
