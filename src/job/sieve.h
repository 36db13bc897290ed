/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The sieve lets through what differs: of all blocks that may have changed,
 * those whose content the image below does not have already.  What it sees it
 * sums, and what becomes part of the new image it writes down.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/cleanup.h"

struct err;
struct ledger;
struct sieve;

/*
 * For an image of @size_bytes in the repository @repo_id of which @ledger
 * knows, and is told, what it has. @standalone: nothing is under it. @ledger
 * stays with the caller. To be freed by sieve_free().
 */
int sieve_new(const char *repo_id, bool standalone, uint64_t size_bytes,
	      struct ledger *ledger, struct sieve **ret_sieve, struct err *err);
void sieve_free(struct sieve *sieve);
DEFINE_CLEANUP(struct sieve *, sieve_free);
#define _cleanup_sieve_ _cleanup_(cleanup_sieve_free)

/* For ship_job.examine, which says what the arguments are. */
int sieve_examine(struct sieve *sieve, uint64_t first_unit, uint64_t nr_units,
		  const uint8_t *data, bool skip[], struct err *err);

/* What was held back because the image has it already: zeroes in an image with
 * nothing under it, and all else. */
uint64_t sieve_zero_bytes(const struct sieve *sieve);
uint64_t sieve_equal_bytes(const struct sieve *sieve);
