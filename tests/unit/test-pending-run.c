/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a run with several cuts has left to send is never too little. */
#include "pending.h"
#include "scratch.h"

/* What a run has left to send grows by every cut, like the set itself, and
 * survives being stored; what it sent stays in the set. */
static void test_a_run_has_to_send_what_it_has_not_sent(void **state)
{
	const struct pending_disk disk = vda(state);
	_cleanup_bitmap_ struct bitmap *first = blocks(10, 20);
	_cleanup_bitmap_ struct bitmap *second = blocks(15, 10);
	_cleanup_pending_ struct pending *before = NULL, *after = NULL;
	unsigned int gaps;

	make_settled(&disk, REPO_1, EPOCH_1);
	assert_int_equal(pending_merge_all(&disk, first, EPOCH_1, EPOCH_2,
					   &gaps, NULL),
			 0);
	before = load(&disk, REPO_1);
	assert_ptr_equal(pending_to_send(before), before->map);
	assert_int_equal(pending_begin_run(before, RUN_1), 0);
	assert_int_equal(bitmap_count(pending_to_send(before)), 20);
	bitmap_clear(before->to_send, 10, 12);
	assert_int_equal(pending_store(disk.state_dir, before, NULL), 0);
	assert_int_equal(pending_merge_all(&disk, second, EPOCH_2, EPOCH_3,
					   &gaps, NULL),
			 0);
	after = load(&disk, REPO_1);
	assert_true(pending_is_of_run(after, RUN_1));
	assert_false(pending_is_of_run(after, RUN_2));
	assert_int_equal(bitmap_count(after->map), 20);
	assert_int_equal(bitmap_count(after->to_send), 15);
	assert_false(bitmap_test(after->to_send, 14));
	assert_true(bitmap_test(after->to_send, 15));
	assert_true(bitmap_test(after->to_send, 29));
}

static void test_what_is_in_doubt_is_to_be_sent_again(void **state)
{
	const struct pending_disk disk = vda(state);
	struct pending_disk grown = disk;
	_cleanup_bitmap_ struct bitmap *none = blocks(0, 0);
	_cleanup_pending_ struct pending *longer = NULL, *missed = NULL;
	unsigned int gaps;

	make_settled(&disk, REPO_1, EPOCH_1);
	store_run(&disk, REPO_1);
	grown.size_bytes += 5 * BLOCK;
	longer = load(&grown, REPO_1);
	assert_int_equal(bitmap_count(longer->to_send), 5);
	assert_int_equal(pending_merge_all(&disk, none, EPOCH_2, EPOCH_3, &gaps,
					   NULL),
			 0);
	missed = load(&disk, REPO_1);
	assert_int_equal(bitmap_count(missed->to_send), NR_BLOCKS);
}

/* Only with the point is it known that the run has sent what it had to. */
static void test_a_run_ends_with_its_point(void **state)
{
	const struct pending_disk disk = vda(state);
	_cleanup_pending_ struct pending *pending = load(&disk, REPO_1);
	_cleanup_pending_ struct pending *after = NULL;

	assert_int_equal(pending_begin_run(pending, RUN_1), 0);
	assert_int_equal(pending_begin_run(pending, RUN_2), 0);
	assert_false(pending_is_of_run(pending, RUN_1));
	assert_int_equal(bitmap_count(pending->to_send), NR_BLOCKS);
	pending_settle(pending, pending->map, POINT);
	assert_false(pending_is_of_run(pending, RUN_2));
	assert_int_equal(pending_store(disk.state_dir, pending, NULL), 0);
	after = load(&disk, REPO_1);
	assert_null(after->to_send);
	assert_string_equal(after->run, "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		scratch_test(test_a_run_has_to_send_what_it_has_not_sent),
		scratch_test(test_what_is_in_doubt_is_to_be_sent_again),
		scratch_test(test_a_run_ends_with_its_point),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
