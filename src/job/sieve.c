/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * An image with nothing under it reads as zeroes, so zeroes need not be sent
 * to it; but they are written down, so that verify compares them as well.
 * Over another image, what is equal is not part of the new one and is left to
 * the sums of the older.  What an earlier run sent is part of it already, and
 * hides what is under it: it is compared with that, and nothing else.
 */
#include "job/sieve.h"

#include <stdlib.h>

#include "base/err.h"
#include "job/ledger.h"
#include "ship/ship.h"

_Static_assert(SHIP_UNIT_BYTES == SUM_BLOCK_BYTES,
	       "a unit that is sent or not has one sum");

struct sieve {
	struct sum_key key;
	struct ledger *ledger;
	bool standalone;
	uint64_t size_bytes; /* of the disk */
	uint64_t zero_bytes, equal_bytes;
	struct sum now[SHIP_EXAMINE_UNITS], under[SHIP_EXAMINE_UNITS];
	struct sum sent[SHIP_EXAMINE_UNITS]; /* by earlier runs */
};

void sieve_free(struct sieve *sieve)
{
	free(sieve);
}

int sieve_new(const char *repo_id, bool standalone, uint64_t size_bytes,
	      struct ledger *ledger, struct sieve **ret_sieve, struct err *err)
{
	struct sieve *sieve = calloc(1, sizeof(*sieve));

	if (!sieve)
		return fail(err, -ENOMEM, "out of memory");
	sieve->ledger = ledger;
	sieve->standalone = standalone;
	sieve->size_bytes = size_bytes;
	sum_key_init(&sieve->key, repo_id);
	*ret_sieve = sieve;
	return 0;
}

/* Whether unit number @i is in the image as it is now; if it is so because of
 * what is under the image, it is not of its own. */
static bool is_there(struct sieve *sieve, size_t i, size_t size_bytes)
{
	struct sum *now = &sieve->now[i];

	if (sieve->sent[i].kind != SUM_UNKNOWN) {
		if (!sum_equal(now, &sieve->sent[i]))
			return false;
		sieve->equal_bytes += size_bytes;
		return true;
	}
	if (!sum_equal(now, &sieve->under[i]))
		return false;
	if (sieve->standalone) {
		sieve->zero_bytes += size_bytes;
	} else {
		sieve->equal_bytes += size_bytes;
		now->kind = SUM_UNKNOWN;
	}
	return true;
}

int sieve_examine(struct sieve *sieve, uint64_t first_unit, uint64_t nr_units,
		  const uint8_t *data, bool skip[], struct err *err)
{
	struct ledger *ledger = sieve->ledger;
	int r = ledger->look_up(ledger, first_unit, nr_units, sieve->sent,
				sieve->under, err);

	if (r < 0)
		return r;
	for (uint64_t i = 0; i < nr_units; i++) {
		size_t size_bytes =
			sum_block_bytes(sieve->size_bytes, first_unit + i);

		sieve->now[i] = sum_at(&sieve->key,
				       data ? data + i * SUM_BLOCK_BYTES : NULL,
				       sieve->size_bytes, first_unit + i);
		skip[i] = is_there(sieve, i, size_bytes);
	}
	return ledger->add(ledger, first_unit, nr_units, sieve->now, err);
}

uint64_t sieve_zero_bytes(const struct sieve *sieve)
{
	return sieve->zero_bytes;
}

uint64_t sieve_equal_bytes(const struct sieve *sieve)
{
	return sieve->equal_bytes;
}
