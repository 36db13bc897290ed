/* SPDX-License-Identifier: GPL-2.0-or-later */
/* How fast bytes may go: a rate, kept over all runs that share a pace. */
#pragma once

#include <stdint.h>

/* Idle time is good for so much of the rate at once. */
#define PACE_BURST_MS 100u

/* Begins full. All zero: no limit. Belongs to one thread. */
struct pace {
	int64_t rate;    /* bytes/s */
	int64_t balance; /* bytes * us/s; below zero after a long request */
	int64_t then_us; /* when the balance was so */
};

/* @bytes_per_s: 0 is no limit, and so is more than any line has (1 TiB/s). */
struct pace pace_init(uint64_t bytes_per_s);

/* What may go at once: the most that a request should have. At least 1. */
uint64_t pace_burst_bytes(const struct pace *pace);

/*
 * How many us to wait until a request of @bytes may go; 0: it may go now. One
 * that is longer than a burst goes when a burst might. @now_us is of a clock
 * that never goes back.
 */
uint64_t pace_wait_us(struct pace *pace, int64_t now_us, uint32_t bytes);

/* It goes. */
void pace_take(struct pace *pace, uint32_t bytes);
