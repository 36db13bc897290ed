/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The connections to an image on the far side, as many as are of use. */
#pragma once

#include <stdint.h>

#include "job/far.h"

#define FAR_MAX_LINES 4
#define FAR_TOKEN_SIZE 128

struct far_lines {
	struct far *far;
	char token[FAR_TOKEN_SIZE];
	struct far_line lines[FAR_MAX_LINES];
	unsigned int nr_lines;
};

/*
 * Connects to what ->token is for, to write @size_bytes of blocks, or to read
 * them. Of what is opened the connections are; they are ended by
 * far_lines_end() after it was closed, also after a failure.
 */
int far_lines_open_dest(struct far_lines *lines, uint64_t size_bytes,
			struct ship_dest **ret_dest, struct err *err);
int far_lines_open_source(struct far_lines *lines, uint64_t size_bytes,
			  struct ship_source **ret_source, struct err *err);
void far_lines_end(struct far_lines *lines);
