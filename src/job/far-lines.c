/* SPDX-License-Identifier: GPL-2.0-or-later */
/* NBD goes over each of them, and libnbd asks for one after the other. */
#include "job/far-lines.h"

#include <string.h>

#include "base/err.h"

/* Several connections are worth it if there is so much to send. */
#define WORTH_BYTES (UINT64_C(64) << 20)
#define GIVE_UP_MS 1000

static int dial(void *opaque, struct err *err)
{
	struct far_lines *lines = opaque;
	int fd;

	if (lines->nr_lines == FAR_MAX_LINES)
		return fail(err, -EMFILE, "no more connections");
	fd = far_dial(lines->far, lines->token, &lines->lines[lines->nr_lines],
		      err);
	lines->nr_lines++; /* ssh may run though nothing came of it */
	return fd;
}

/* What the server or ssh says of a connection that failed explains it. */
static int explain(struct far_lines *lines, int r, struct err *err)
{
	struct run *ssh = &lines->lines[0].ssh;
	struct err words = {0};
	int why;

	if (r >= 0 || r == -EINTR || lines->nr_lines == 0)
		return r;
	why = far_call(lines->far, far_request("why"), NULL, 0, 0, NULL,
		       &words);
	if (why == 0 && ssh->pid && run_has_ended(ssh, GIVE_UP_MS)) {
		why = run_wait(ssh, &words);
		far_plain_text(words.text);
		err_prefix(&words, "%s", lines->far->location);
	}
	if (why == 0)
		return r;
	err_clear(err);
	return fail(err, why, "%s", words.text);
}

static struct ship_address address_of(struct far_lines *lines,
				      uint64_t size_bytes)
{
	bool several = lines->far->round_trip_ms >= FAR_LATENCY_MS &&
		       size_bytes >= WORTH_BYTES;

	return (struct ship_address){
		.name = lines->far->location,
		.dial = dial,
		.opaque = lines,
		.max_connections = several ? FAR_MAX_LINES : 1,
	};
}

int far_lines_open_dest(struct far_lines *lines, uint64_t size_bytes,
			struct ship_dest **ret_dest, struct err *err)
{
	const struct ship_address address = address_of(lines, size_bytes);

	return explain(lines,
		       ship_dest_open_at(&address, lines->far->cancelled,
					 ret_dest, err),
		       err);
}

int far_lines_open_source(struct far_lines *lines, uint64_t size_bytes,
			  struct ship_source **ret_source, struct err *err)
{
	const struct ship_address address = address_of(lines, size_bytes);

	return explain(lines,
		       ship_source_open_at(&address, lines->far->cancelled,
					   ret_source, err),
		       err);
}

void far_lines_end(struct far_lines *lines)
{
	for (unsigned int i = 0; i < lines->nr_lines; i++)
		run_kill(&lines->lines[i].ssh);
	lines->nr_lines = 0;
}
