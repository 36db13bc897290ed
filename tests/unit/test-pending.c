/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A set in doubt is full; only what a target committed makes it smaller. */
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/err.h"
#include "base/io.h"
#include "pending.h"
#include "scratch.h"

static char *file(void **state)
{
	return io_format("%s/pending/%s/vda", (char *)*state, REPO_1);
}

static void test_a_new_target_misses_everything(void **state)
{
	const struct pending_disk disk = vda(state);
	_cleanup_pending_ struct pending *pending = load(&disk, REPO_1);

	assert_int_equal(pending->reason, PENDING_NEW);
	assert_int_equal(bitmap_count(pending->map), NR_BLOCKS);
	assert_string_equal(pending->newest, "");
}

static void test_what_is_stored_is_loaded(void **state)
{
	const struct pending_disk disk = vda(state);
	_cleanup_pending_ struct pending *pending = load(&disk, REPO_1);
	_cleanup_pending_ struct pending *again = NULL;

	bitmap_clear(pending->map, 3, 50);
	strcpy(pending->tracker, REPO_2);
	strcpy(pending->epoch, EPOCH_2);
	strcpy(pending->previous, EPOCH_1);
	strcpy(pending->newest, POINT);
	strcpy(pending->attempt, POINT "-2");
	free(pending->location);
	pending->location = strdup("/srv/backup");
	assert_int_equal(pending_store(*state, pending, NULL), 0);
	again = load(&disk, REPO_1);
	assert_int_equal(again->reason, PENDING_NEW);
	assert_string_equal(again->tracker, REPO_2);
	assert_string_equal(again->epoch, EPOCH_2);
	assert_string_equal(again->previous, EPOCH_1);
	assert_string_equal(again->newest, POINT);
	assert_string_equal(again->attempt, POINT "-2");
	assert_string_equal(again->location, "/srv/backup");
	assert_memory_equal(again->map->bits, pending->map->bits,
			    pending->map->size_bytes);
}

static void test_frozen_sets_go_to_every_target(void **state)
{
	const struct pending_disk disk = vda(state);
	_cleanup_bitmap_ struct bitmap *first = blocks(10, 5);
	_cleanup_bitmap_ struct bitmap *second = blocks(90, 10);
	unsigned int gaps = 9;

	make_settled(&disk, REPO_1, EPOCH_1);
	make_settled(&disk, REPO_2, EPOCH_1);
	assert_int_equal(pending_merge_all(&disk, first, EPOCH_1, EPOCH_2,
					   &gaps, NULL),
			 0);
	assert_int_equal(pending_merge_all(&disk, second, EPOCH_2, EPOCH_3,
					   &gaps, NULL),
			 0);
	assert_int_equal(gaps, 0);
	for (int i = 0; i < 2; i++) {
		_cleanup_pending_ struct pending *pending =
			load(&disk, i ? REPO_2 : REPO_1);

		assert_int_equal(pending->reason, PENDING_TRACKED);
		assert_int_equal(bitmap_count(pending->map), 15);
		assert_true(bitmap_test(pending->map, 12));
		assert_true(bitmap_test(pending->map, 99));
		assert_string_equal(pending->epoch, EPOCH_3);
	}
}

/* A run that is on its way when blocks are found does not have them. */
static void test_missed_blocks_are_in_no_run_before(void **state)
{
	const struct pending_disk disk = vda(state);
	_cleanup_bitmap_ struct bitmap *frozen = blocks(10, 5);

	for (int i = 0; i < 2; i++) {
		_cleanup_bitmap_ struct bitmap *missed = blocks(13 + i, 2);
		_cleanup_pending_ struct pending *begun = NULL;
		_cleanup_pending_ struct pending *then = NULL;

		make_settled(&disk, REPO_1, EPOCH_1);
		begun = load(&disk, REPO_1);
		bitmap_or(begun->map, frozen);
		assert_int_equal(pending_begin(begun, "/repo", POINT_2), 0);
		assert_int_equal(pending_store(disk.state_dir, begun, NULL), 0);
		assert_int_equal(pending_add_all(&disk, missed, NULL), 0);
		then = load(&disk, REPO_1);
		assert_string_equal(then->attempt, i ? "" : POINT_2);
	}
}

static void test_missed_blocks_go_to_every_target(void **state)
{
	const struct pending_disk disk = vda(state);
	_cleanup_bitmap_ struct bitmap *frozen = blocks(10, 5);
	_cleanup_bitmap_ struct bitmap *missed = blocks(14, 3);
	unsigned int gaps;

	make_settled(&disk, REPO_1, EPOCH_1);
	make_settled(&disk, REPO_2, EPOCH_1);
	assert_int_equal(pending_merge_all(&disk, frozen, EPOCH_1, EPOCH_2,
					   &gaps, NULL),
			 0);
	assert_int_equal(pending_add_all(&disk, missed, NULL), 0);
	for (int i = 0; i < 2; i++) {
		_cleanup_pending_ struct pending *pending =
			load(&disk, i ? REPO_2 : REPO_1);

		assert_int_equal(pending->reason, PENDING_TRACKED);
		assert_int_equal(bitmap_count(pending->map), 7);
		assert_true(bitmap_test(pending->map, 16));
		assert_string_equal(pending->epoch, EPOCH_2);
		assert_string_equal(pending->previous, EPOCH_1);
		assert_string_equal(pending->newest, POINT);
	}
}

static void test_a_merge_that_is_repeated_adds_nothing(void **state)
{
	const struct pending_disk disk = vda(state);
	_cleanup_bitmap_ struct bitmap *frozen = blocks(10, 5);
	_cleanup_pending_ struct pending *pending = NULL, *settled = NULL;
	unsigned int gaps;

	make_settled(&disk, REPO_1, EPOCH_1);
	assert_int_equal(pending_merge_all(&disk, frozen, EPOCH_1, EPOCH_2,
					   &gaps, NULL),
			 0);
	settled = load(&disk, REPO_1);
	assert_int_equal(bitmap_count(settled->map), 5);
	pending_settle(settled, settled->map, POINT);
	assert_int_equal(pending_store(*state, settled, NULL), 0);
	assert_int_equal(pending_merge_all(&disk, frozen, EPOCH_1, EPOCH_2,
					   &gaps, NULL),
			 0);
	assert_int_equal(gaps, 0);
	pending = load(&disk, REPO_1);
	assert_int_equal(bitmap_count(pending->map), 0);
}

static void test_a_cut_that_was_missed_makes_the_set_full(void **state)
{
	const struct pending_disk disk = vda(state);
	_cleanup_bitmap_ struct bitmap *frozen = blocks(10, 5);
	_cleanup_pending_ struct pending *pending = NULL;
	unsigned int gaps;

	make_settled(&disk, REPO_1, EPOCH_1);
	make_settled(&disk, REPO_2, EPOCH_2);
	assert_int_equal(pending_merge_all(&disk, frozen, EPOCH_2, EPOCH_3,
					   &gaps, NULL),
			 0);
	assert_int_equal(gaps, 1);
	pending = load(&disk, REPO_1);
	assert_int_equal(pending->reason, PENDING_GAP);
	assert_int_equal(bitmap_count(pending->map), NR_BLOCKS);
	assert_string_equal(pending->epoch, EPOCH_3);
}

static void test_an_aborted_cut_is_no_gap(void **state)
{
	const struct pending_disk disk = vda(state);
	_cleanup_bitmap_ struct bitmap *frozen = blocks(10, 5);
	_cleanup_bitmap_ struct bitmap *again = blocks(10, 7);
	_cleanup_pending_ struct pending *pending = NULL;
	unsigned int gaps;

	make_settled(&disk, REPO_1, EPOCH_1);
	assert_int_equal(pending_merge_all(&disk, frozen, EPOCH_1, EPOCH_2,
					   &gaps, NULL),
			 0);
	/* epoch_abort: the tracker is back at EPOCH_1, frozen is dirty. */
	assert_int_equal(pending_merge_all(&disk, again, EPOCH_1, EPOCH_3,
					   &gaps, NULL),
			 0);
	assert_int_equal(gaps, 0);
	pending = load(&disk, REPO_1);
	assert_int_equal(bitmap_count(pending->map), 7);
}

static void test_only_what_was_shipped_is_settled(void **state)
{
	const struct pending_disk disk = vda(state);
	_cleanup_bitmap_ struct bitmap *shipped = blocks(0, 40);
	_cleanup_pending_ struct pending *pending = load(&disk, REPO_1);

	bitmap_clear(shipped, 7, 1);
	pending_settle(pending, shipped, POINT);
	assert_int_equal(bitmap_count(pending->map), NR_BLOCKS - 39);
	assert_true(bitmap_test(pending->map, 7));
	assert_string_equal(pending->newest, POINT);
	assert_int_equal(pending->reason, PENDING_TRACKED);
}

static void test_every_damaged_byte_makes_the_set_full(void **state)
{
	const struct pending_disk disk = vda(state);
	_cleanup_free_ char *path = file(state), *good = NULL;
	size_t size;

	make_settled(&disk, REPO_1, EPOCH_1);
	store_run(&disk, REPO_1);
	assert_int_equal(io_read_file(path, 1 << 20, &good, &size, NULL), 0);
	for (size_t at = 0; at < size; at += at < 512 ? 1 : 97) {
		_cleanup_pending_ struct pending *pending = NULL;

		good[at] ^= 0x10;
		assert_int_equal(io_replace_file(path, good, size, 0600, NULL),
				 0);
		good[at] ^= 0x10;
		pending = load(&disk, REPO_1);
		assert_int_equal(pending->reason, PENDING_DAMAGED);
		assert_int_equal(bitmap_count(pending->map), NR_BLOCKS);
	}
}

static void test_every_truncation_makes_the_set_full(void **state)
{
	const struct pending_disk disk = vda(state);
	_cleanup_free_ char *path = file(state);
	struct stat st;

	make_settled(&disk, REPO_1, EPOCH_1);
	store_run(&disk, REPO_1);
	assert_int_equal(stat(path, &st), 0);
	for (off_t size = st.st_size + 1; size >= 0;
	     size -= size > st.st_size - 20 ? 1 : 501) {
		_cleanup_pending_ struct pending *pending = NULL;

		if (size == st.st_size)
			continue;
		assert_int_equal(truncate(path, size), 0);
		pending = load(&disk, REPO_1);
		assert_int_equal(pending->reason, PENDING_DAMAGED);
		assert_int_equal(bitmap_count(pending->map), NR_BLOCKS);
		make_settled(&disk, REPO_1, EPOCH_1);
		store_run(&disk, REPO_1);
	}
}

static void test_the_set_of_another_disk_is_not_ours(void **state)
{
	struct pending_disk disk = vda(state);
	_cleanup_pending_ struct pending *pending = NULL;

	make_settled(&disk, REPO_1, EPOCH_1);
	disk.domain_uuid = REPO_2;
	pending = load(&disk, REPO_1);
	assert_int_equal(pending->reason, PENDING_DAMAGED);
	assert_string_equal(pending->newest, "");
}

static void test_a_disk_that_grew_is_pending_where_it_grew(void **state)
{
	struct pending_disk disk = vda(state);
	_cleanup_pending_ struct pending *pending = NULL;

	disk.size_bytes -= 1024; /* the last block is short */
	make_settled(&disk, REPO_1, EPOCH_1);
	disk.size_bytes = (NR_BLOCKS + 50) * BLOCK;
	pending = load(&disk, REPO_1);
	assert_int_equal(pending->reason, PENDING_TRACKED);
	assert_int_equal(bitmap_count(pending->map), 51);
	assert_true(bitmap_test(pending->map, NR_BLOCKS - 1));
	assert_string_equal(pending->newest, POINT);
}

static void test_a_disk_that_shrank_is_pending_as_a_whole(void **state)
{
	struct pending_disk disk = vda(state);
	_cleanup_pending_ struct pending *pending = NULL;

	make_settled(&disk, REPO_1, EPOCH_1);
	disk.size_bytes -= 512;
	pending = load(&disk, REPO_1);
	assert_int_equal(pending->reason, PENDING_RESIZED);
	assert_int_equal(bitmap_count(pending->map), NR_BLOCKS);
}

static void test_other_blocks_make_the_set_full(void **state)
{
	struct pending_disk disk = vda(state);
	_cleanup_pending_ struct pending *pending = NULL;

	make_settled(&disk, REPO_1, EPOCH_1);
	disk.block_bytes *= 2;
	pending = load(&disk, REPO_1);
	assert_int_equal(pending->reason, PENDING_RESIZED);
	assert_int_equal(bitmap_count(pending->map), NR_BLOCKS / 2);
}

static void test_the_set_of_another_tracker_is_full(void **state)
{
	_cleanup_bitmap_ struct bitmap *frozen = blocks(1, 1);
	struct pending_disk disk = vda(state);
	_cleanup_pending_ struct pending *before = NULL, *same = NULL;
	_cleanup_pending_ struct pending *other = NULL;
	unsigned int gaps;

	make_settled(&disk, REPO_1, EPOCH_1);
	disk.tracker = REPO_1;
	before = load(&disk, REPO_1);
	assert_int_equal(before->reason, PENDING_TRACKED);
	assert_string_equal(before->tracker, REPO_1);
	assert_int_equal(pending_store(*state, before, NULL), 0);
	same = load(&disk, REPO_1);
	assert_int_equal(same->reason, PENDING_TRACKED);
	/* With the same epochs, since these are a domain's. */
	disk.tracker = REPO_2;
	assert_int_equal(pending_merge_all(&disk, frozen, EPOCH_1, EPOCH_2,
					   &gaps, NULL),
			 0);
	disk.tracker = NULL;
	other = load(&disk, REPO_1);
	assert_int_equal(other->reason, PENDING_TRACKER);
	assert_int_equal(bitmap_count(other->map), NR_BLOCKS);
}

static void test_a_set_that_moved_goes_on_with_the_tracker_there(void **state)
{
	struct pending_disk disk = vda(state);
	_cleanup_bitmap_ struct bitmap *before = blocks(10, 5);
	_cleanup_bitmap_ struct bitmap *last = blocks(20, 5);
	_cleanup_pending_ struct pending *moved = NULL;
	_cleanup_free_ char *content = NULL, *path = file(state);
	unsigned int gaps;
	size_t size;

	disk.tracker = EPOCH_3;
	make_settled(&disk, REPO_1, EPOCH_1);
	assert_int_equal(pending_merge_all(&disk, before, EPOCH_1, EPOCH_2,
					   &gaps, NULL),
			 0);
	assert_int_equal(pending_content(*state, REPO_1, "vda", &content, &size,
					 NULL),
			 0);
	assert_int_equal(unlink(path), 0);
	/* Over there. */
	disk.tracker = RUN_1;
	assert_int_equal(pending_adopt(&disk, REPO_1, content, size, NULL), 0);
	assert_int_equal(
		pending_merge_all(&disk, last, EPOCH_2, RUN_2, &gaps, NULL), 0);
	moved = load(&disk, REPO_1);
	assert_int_equal(moved->reason, PENDING_TRACKED);
	assert_int_equal(bitmap_count(moved->map), 10);
	assert_true(bitmap_test(moved->map, 14));
	assert_true(bitmap_test(moved->map, 20));
	assert_string_equal(moved->epoch, RUN_2);
	assert_string_equal(moved->newest, POINT);
}

static void test_nonsense_does_not_move(void **state)
{
	const struct pending_disk disk = vda(state);
	_cleanup_free_ char *content = NULL;
	struct pending_disk other = disk;
	size_t size;

	make_settled(&disk, REPO_1, EPOCH_1);
	assert_int_equal(pending_content(*state, REPO_1, "vda", &content, &size,
					 NULL),
			 0);
	for (size_t i = 0; i < size; i += 7)
		assert_int_equal(pending_adopt(&disk, REPO_1, content, i, NULL),
				 -EPROTO);
	other.disk = "vdb";
	assert_int_equal(pending_adopt(&other, REPO_1, content, size, NULL),
			 -EPROTO);
	assert_int_equal(pending_adopt(&disk, REPO_2, content, size, NULL),
			 -EPROTO);
	content[size - 1] ^= 1;
	assert_int_equal(pending_adopt(&disk, REPO_1, content, size, NULL),
			 -EPROTO);
}

static void test_targets_are_known_with_their_place(void **state)
{
	const struct pending_disk disk = vda(state);
	_cleanup_pending_targets_ struct pending_targets *none = NULL;
	_cleanup_pending_targets_ struct pending_targets *two = NULL;
	_cleanup_free_ char *path = file(state);

	assert_int_equal(pending_targets(*state, &none, NULL), 0);
	assert_int_equal(none->nr_targets, 0);
	make_settled(&disk, REPO_1, EPOCH_1);
	make_settled(&disk, REPO_2, EPOCH_1);
	assert_int_equal(truncate(path, 100), 0);
	assert_int_equal(pending_targets(*state, &two, NULL), 0);
	assert_int_equal(two->nr_targets, 2);
	assert_string_equal(two->targets[0].repo_id, REPO_1);
	assert_string_equal(two->targets[0].location, "");
	assert_string_equal(two->targets[1].location, "/backup");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		scratch_test(test_a_new_target_misses_everything),
		scratch_test(test_what_is_stored_is_loaded),
		scratch_test(test_frozen_sets_go_to_every_target),
		scratch_test(test_missed_blocks_are_in_no_run_before),
		scratch_test(test_missed_blocks_go_to_every_target),
		scratch_test(test_a_merge_that_is_repeated_adds_nothing),
		scratch_test(test_a_cut_that_was_missed_makes_the_set_full),
		scratch_test(test_an_aborted_cut_is_no_gap),
		scratch_test(test_only_what_was_shipped_is_settled),
		scratch_test(test_every_damaged_byte_makes_the_set_full),
		scratch_test(test_every_truncation_makes_the_set_full),
		scratch_test(test_the_set_of_another_disk_is_not_ours),
		scratch_test(test_a_disk_that_grew_is_pending_where_it_grew),
		scratch_test(test_a_disk_that_shrank_is_pending_as_a_whole),
		scratch_test(test_other_blocks_make_the_set_full),
		scratch_test(test_the_set_of_another_tracker_is_full),
		scratch_test(
			test_a_set_that_moved_goes_on_with_the_tracker_there),
		scratch_test(test_nonsense_does_not_move),
		scratch_test(test_targets_are_known_with_their_place),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
