/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A token bucket.  It is filled when it is looked at, so nothing has to run
 * meanwhile, and counts in millionths of a byte, so that a slow rate that is
 * looked at often loses nothing to rounding.  A request longer than the bucket
 * is let go when the bucket is full and paid for afterwards: over any time t
 * no more goes than the rate times t, and a burst or one request.
 *
 * Nothing overflows: the rate is bounded, a balance is never above a burst, and
 * never further below zero than the longest request.
 */
#include "ship/pace.h"

#define US_PER_S INT64_C(1000000)
#define MAX_RATE (INT64_C(1) << 40)

static int64_t full(const struct pace *pace)
{
	return pace->rate * PACE_BURST_MS * (US_PER_S / 1000);
}

struct pace pace_init(uint64_t bytes_per_s)
{
	struct pace pace = {0};

	if (bytes_per_s <= MAX_RATE)
		pace.rate = bytes_per_s;
	pace.balance = full(&pace);
	return pace;
}

uint64_t pace_burst_bytes(const struct pace *pace)
{
	uint64_t burst = pace->rate * PACE_BURST_MS / 1000;

	if (pace->rate == 0)
		return UINT64_MAX;
	return burst ? burst : 1;
}

static void fill(struct pace *pace, int64_t now_us)
{
	int64_t missing = full(pace) - pace->balance;
	int64_t spent_us = now_us - pace->then_us;

	if (spent_us > missing / pace->rate)
		pace->balance += missing;
	else
		pace->balance += spent_us * pace->rate;
	pace->then_us = now_us;
}

uint64_t pace_wait_us(struct pace *pace, int64_t now_us, uint32_t bytes)
{
	int64_t needed = bytes * US_PER_S;

	if (pace->rate == 0)
		return 0;
	fill(pace, now_us);
	if (needed > full(pace))
		needed = full(pace);
	if (needed <= pace->balance)
		return 0;
	return (needed - pace->balance + pace->rate - 1) / pace->rate;
}

void pace_take(struct pace *pace, uint32_t bytes)
{
	if (pace->rate)
		pace->balance -= bytes * US_PER_S;
}
