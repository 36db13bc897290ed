/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Is a mirror still the one that we shipped to last? See repo/tail.h. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "repo/tail.h"
#include "ship/ship.h"

struct bitmap;
struct err;
struct pending;

/*
 * Reads the tail's blocks, as far as no run has touched them since and they are
 * not @changed (NULL: all count), from the mirror @source and compares.
 * -ESTALE: an image of another size.
 */
int tail_check(struct ship_source *source, const struct pending *pending,
	       const struct bitmap *changed, ship_cancel cancelled,
	       bool *ret_matches, struct err *err);

/* Where a run to a mirror notes what it ships. */
struct tail_recorder {
	struct tail tail;
	uint32_t block_bytes;
	uint64_t size_bytes; /* of the disk */
};

/* For ship_job.examine: notes what is shipped, @data NULL being zeroes. */
int tail_record(struct tail_recorder *recorder, uint64_t first_unit,
		uint64_t nr_units, const uint8_t *data, struct err *err);
