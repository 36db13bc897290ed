/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Mirroring: images somewhere else are kept near to a running domain's disks,
 * pass by pass.  A pass is a backup of what was written since the one before;
 * between two passes any other run may take its turn.
 *
 * In a repository, here or on another host, a pass is a point that takes the
 * place of the pass before it, so that there is always an image of one instant,
 * and what is half done is finished after a crash.  An NBD export is changed in
 * place, and torn during a pass.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "job/backup.h"

struct mirror_request {
	struct backup_request backup; /* of a pass */
	bool once;
	uint64_t interval_s;        /* between the ends of two passes */
	uint64_t until_below_bytes; /* ends when less is behind; 0: never */
};

/* What a pass did. */
struct mirror_pass {
	unsigned int number; /* 1, 2, ... */
	const struct backup_report *report;
	uint64_t sent_bytes;
	bool behind_known;
	uint64_t behind_bytes; /* written since its cut */
};

/* One pass by itself, for whoever decides how many there are to be; @pass has
 * its number, and refers to @ret_report, which is freed by
 * backup_report_free(). */
int mirror_pass(const struct backup_request *request,
		struct backup_report *ret_report, struct mirror_pass *pass,
		struct ui *ui, struct err *err);

struct mirror_report {
	unsigned int nr_passes;
	uint64_t sent_bytes;
	struct mirror_pass last; /* without its ->report; if there was one */
	bool resynced;           /* one of them */
	bool warned;
};

/*
 * Keeps what is at @request->backup.target near, until it is so near as was
 * asked for, or the process is told to end, which is no failure. @passed is
 * told of each pass. After a failure an export may be torn; what it misses is
 * known, and the next run brings it.
 */
int mirror_run(const struct mirror_request *request,
	       void (*passed)(void *opaque, const struct mirror_pass *pass),
	       void *opaque, struct mirror_report *ret_report, struct ui *ui,
	       struct err *err);
