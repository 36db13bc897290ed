/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The ledger of an image on the far side.  What is known of its blocks comes
 * in the order in which they are asked about, and is asked for ahead; what is
 * written down is sent without an answer.
 */
#pragma once

#include <stdint.h>

#include "job/far-codec.h"
#include "job/ledger.h"

struct far;

struct far_ledger {
	struct ledger ledger;
	struct far *far;
	uint64_t nr_units;
	uint64_t covered; /* all before this unit has come */
	bool asked;       /* for the first frames */
	uint8_t *data;    /* the frame that is being read */
	struct far_sums_in in;
	struct far_sums_out out;
};

/* Of the image that @far has begun, on a disk of @nr_units of 4 KiB. */
void far_ledger_init(struct far_ledger *known, struct far *far,
		     uint64_t nr_units);
void far_ledger_clear(struct far_ledger *known);

/* Sends what is written down and was not sent yet. */
int far_ledger_flush(struct far_ledger *known, struct err *err);
