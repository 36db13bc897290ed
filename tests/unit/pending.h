/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Pending sets of a disk of 100 blocks and two targets. */
#pragma once

#include <string.h>

#include "base/err.h"
#include "check.h"
#include "repo/pending.h"

#define DOMAIN_UUID "aaaaaaaa-bbbb-4ccc-8ddd-eeeeeeeeeeee"
#define REPO_1 "11111111-1111-4111-8111-111111111111"
#define REPO_2 "22222222-2222-4222-8222-222222222222"
#define EPOCH_1 "e0000000-0000-4000-8000-000000000001"
#define EPOCH_2 "e0000000-0000-4000-8000-000000000002"
#define EPOCH_3 "e0000000-0000-4000-8000-000000000003"
#define RUN_1 "f0000000-0000-4000-8000-000000000001"
#define RUN_2 "f0000000-0000-4000-8000-000000000002"
#define POINT "20260131T235959Z"
#define POINT_2 "20260201T000000Z"
#define NR_BLOCKS 100
#define BLOCK 4096

static inline struct pending_disk vda(void **state)
{
	return (struct pending_disk){.state_dir = *state,
				     .domain_uuid = DOMAIN_UUID,
				     .disk = "vda",
				     .size_bytes = NR_BLOCKS * BLOCK,
				     .block_bytes = BLOCK};
}

static inline struct pending *load(const struct pending_disk *disk,
				   const char *repo_id)
{
	struct pending *pending = NULL;
	struct err err = {0};

	if (pending_load(disk, repo_id, &pending, &err) < 0)
		test_failed("%s", err.text);
	return pending;
}

/* A target that is up to date with the disk as of @epoch. */
static inline void make_settled(const struct pending_disk *disk,
				const char *repo_id, const char *epoch)
{
	_cleanup_pending_ struct pending *pending = load(disk, repo_id);

	assert_int_equal(pending_begin(pending, "/backup", POINT), 0);
	pending_at_epoch(pending, epoch);
	pending_settle(pending, pending->map, POINT);
	assert_int_equal(pending_store(disk->state_dir, pending, NULL), 0);
}

/* A run to that target is under way. */
static inline void store_run(const struct pending_disk *disk,
			     const char *repo_id)
{
	_cleanup_pending_ struct pending *pending = load(disk, repo_id);

	assert_int_equal(pending_begin_run(pending, RUN_1), 0);
	assert_int_equal(pending_store(disk->state_dir, pending, NULL), 0);
}

static inline struct bitmap *blocks(uint64_t first, uint64_t count)
{
	struct bitmap *map = bitmap_new(NR_BLOCKS);

	bitmap_set(map, first, count);
	return map;
}
