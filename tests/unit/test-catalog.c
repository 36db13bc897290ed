/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Points are in the order of their parents, whatever the clock said. */
#include <sys/stat.h>
#include <unistd.h>

#include "base/io.h"
#include "check.h"
#include "points.h"
#include "scratch.h"

#define P1 "20260101T000001Z"
#define P2 "20260101T000002Z"
#define P3 "20260101T000003Z"
#define P4 "20260101T000004Z"

struct fixture {
	struct repo *repo;
	struct repo_domain *domain;
};

static struct fixture begin(void **state)
{
	struct fixture fixture;

	fixture.repo = open_repo(*state);
	fixture.domain = lock_domain(fixture.repo, "web", UUID_A);
	return fixture;
}

static void end(struct fixture *fixture)
{
	repo_domain_close(fixture->domain);
	repo_close(fixture->repo);
}
#define _cleanup_fixture_ _cleanup_(end)

static void assert_order(const struct catalog *catalog,
			 const char *const points[])
{
	size_t count = 0;

	for (; points[count]; count++) {
		assert_true(count < catalog->nr_points);
		assert_string_equal(catalog->points[count]->point,
				    points[count]);
	}
	assert_int_equal(catalog->nr_points, count);
}

static void test_no_points_is_an_empty_catalog(void **state)
{
	_cleanup_fixture_ struct fixture fixture = begin(state);
	_cleanup_catalog_ struct catalog *catalog =
		load_catalog(fixture.domain);
	const struct manifest *point;

	assert_int_equal(catalog->nr_points, 0);
	assert_null(catalog_newest(catalog));
	assert_int_equal(catalog_find(catalog, "latest", &point, NULL),
			 -ENOENT);
}

static void test_a_clock_set_back_does_not_change_the_order(void **state)
{
	_cleanup_fixture_ struct fixture fixture = begin(state);
	_cleanup_catalog_ struct catalog *catalog = NULL;

	add_point(fixture.domain, P4, "", 40);
	add_point(fixture.domain, P2, P4, 20);
	add_point(fixture.domain, P3, P2, 30);
	add_point(fixture.domain, P1, P3, 10);
	catalog = load_catalog(fixture.domain);
	assert_order(catalog, (const char *[]){P4, P2, P3, P1, NULL});
	assert_int_equal(catalog->nr_problems, 0);
	assert_string_equal(catalog_newest(catalog)->point, P1);
}

static void test_points_are_found_by_name_beginning_and_latest(void **state)
{
	_cleanup_fixture_ struct fixture fixture = begin(state);
	_cleanup_catalog_ struct catalog *catalog = NULL;
	const struct manifest *point;
	struct err err = {0};

	add_point(fixture.domain, P1, "", 1);
	add_point(fixture.domain, P1 "-2", P1, 1);
	add_point(fixture.domain, "20260202T000000Z", P1 "-2", 2);
	catalog = load_catalog(fixture.domain);
	assert_int_equal(catalog_find(catalog, P1, &point, NULL), 0);
	assert_string_equal(point->point, P1);
	assert_int_equal(catalog_find(catalog, "202602", &point, NULL), 0);
	assert_string_equal(point->point, "20260202T000000Z");
	assert_int_equal(catalog_find(catalog, "latest", &point, NULL), 0);
	assert_string_equal(point->point, "20260202T000000Z");
	assert_int_equal(catalog_find(catalog, "2026", &point, &err), -EINVAL);
	assert_int_equal(catalog_find(catalog, "2027", &point, NULL), -ENOENT);
	assert_int_equal(catalog_find(catalog, "", &point, NULL), -ENOENT);
}

static void test_a_name_that_is_taken_gets_a_number(void **state)
{
	_cleanup_fixture_ struct fixture fixture = begin(state);
	_cleanup_catalog_ struct catalog *before = NULL, *after = NULL;
	char point[POINT_SIZE];

	before = load_catalog(fixture.domain);
	assert_int_equal(catalog_new_point(before, 0, "", point, NULL), 0);
	assert_string_equal(point, "19700101T000000Z");
	add_point(fixture.domain, point, "", 0);
	add_point(fixture.domain, "19700101T000000Z-2", point, 0);
	after = load_catalog(fixture.domain);
	assert_int_equal(catalog_new_point(after, 0, "", point, NULL), 0);
	assert_string_equal(point, "19700101T000000Z-3");
	assert_int_equal(catalog_new_point(after, 0, "19700101T000000Z-3",
					   point, NULL),
			 0);
	assert_string_equal(point, "19700101T000000Z-4");
}

static void test_a_missing_parent_is_reported_and_the_rest_works(void **state)
{
	_cleanup_fixture_ struct fixture fixture = begin(state);
	_cleanup_catalog_ struct catalog *catalog = NULL;
	size_t depth;

	add_point(fixture.domain, P1, "", 1);
	add_point(fixture.domain, P3, P2, 3);
	add_point(fixture.domain, P4, P3, 4);
	catalog = load_catalog(fixture.domain);
	assert_order(catalog, (const char *[]){P1, P3, P4, NULL});
	assert_int_equal(catalog->nr_problems, 1);
	assert_non_null(strstr(catalog->problems[0], P2 " is missing"));
	assert_string_equal(catalog_newest(catalog)->point, P4);
	assert_int_equal(catalog_chain_depth(catalog, catalog->points[0], "vda",
					     &depth, NULL),
			 0);
	assert_int_equal(depth, 1);
	assert_int_equal(catalog_chain_depth(catalog, catalog->points[2], "vda",
					     &depth, NULL),
			 -EBADMSG);
}

static void test_a_circle_is_reported_and_ends(void **state)
{
	_cleanup_fixture_ struct fixture fixture = begin(state);
	_cleanup_catalog_ struct catalog *catalog = NULL;
	size_t depth;

	add_point(fixture.domain, P1, P2, 1);
	add_point(fixture.domain, P2, P1, 2);
	catalog = load_catalog(fixture.domain);
	assert_int_equal(catalog->nr_points, 2);
	assert_int_equal(catalog->nr_problems, 1);
	assert_null(catalog_newest(catalog));
	assert_int_equal(catalog_chain_depth(catalog, catalog->points[0], "vda",
					     &depth, NULL),
			 -EBADMSG);
}

static void test_two_children_are_reported(void **state)
{
	_cleanup_fixture_ struct fixture fixture = begin(state);
	_cleanup_catalog_ struct catalog *catalog = NULL;

	add_point(fixture.domain, P1, "", 1);
	add_point(fixture.domain, P2, P1, 2);
	add_point(fixture.domain, P3, P1, 3);
	catalog = load_catalog(fixture.domain);
	assert_int_equal(catalog->nr_problems, 1);
	assert_non_null(strstr(catalog->problems[0], "parent of 2"));
	assert_string_equal(catalog_newest(catalog)->point, P3);
}

static void test_a_damaged_manifest_costs_that_point_only(void **state)
{
	_cleanup_fixture_ struct fixture fixture = begin(state);
	_cleanup_free_ char *path =
		io_format("%s/points/%s.json", fixture.domain->path, P2);
	_cleanup_catalog_ struct catalog *catalog = NULL;

	add_point(fixture.domain, P1, "", 1);
	add_point(fixture.domain, P2, P1, 2);
	assert_int_equal(truncate(path, 100), 0);
	catalog = load_catalog(fixture.domain);
	assert_order(catalog, (const char *[]){P1, NULL});
	assert_int_equal(catalog->nr_damaged, 1);
	assert_non_null(strstr(catalog->problems[0], "truncated"));
}

static void test_a_point_of_another_domain_is_left_out(void **state)
{
	_cleanup_fixture_ struct fixture fixture = begin(state);
	_cleanup_manifest_ struct manifest *other =
		make_point(fixture.domain, P2, "");
	_cleanup_catalog_ struct catalog *catalog = NULL;

	add_point(fixture.domain, P1, "", 1);
	strcpy(other->domain_uuid, UUID_B);
	commit(fixture.domain, other);
	catalog = load_catalog(fixture.domain);
	assert_order(catalog, (const char *[]){P1, NULL});
	assert_int_equal(catalog->nr_damaged, 1);
}

static void test_an_overlay_goes_on_the_newest_point_with_the_disk(void **state)
{
	_cleanup_fixture_ struct fixture fixture = begin(state);
	_cleanup_manifest_ struct manifest *without =
		make_point(fixture.domain, P2, P1);
	_cleanup_catalog_ struct catalog *catalog = NULL;

	add_point(fixture.domain, P1, "", 1);
	free(without->disks[0].target);
	without->nr_disks = 0;
	commit(fixture.domain, without);
	catalog = load_catalog(fixture.domain);
	assert_string_equal(catalog_newest_with_disk(catalog, "vda")->point,
			    P1);
	assert_null(catalog_newest_with_disk(catalog, "vdb"));
}

static void test_a_point_is_committed_once_and_read_only(void **state)
{
	_cleanup_fixture_ struct fixture fixture = begin(state);
	_cleanup_free_ char *path =
		io_format("%s/points/%s.json", fixture.domain->path, P1);
	_cleanup_manifest_ struct manifest *again =
		make_point(fixture.domain, P1, "");
	struct stat st;

	add_point(fixture.domain, P1, "", 1);
	assert_int_equal(manifest_commit(fixture.domain, again, NULL), -EEXIST);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0400);
}

static void test_what_could_not_be_read_is_not_committed(void **state)
{
	_cleanup_fixture_ struct fixture fixture = begin(state);
	_cleanup_catalog_ struct catalog *catalog = NULL;
	_cleanup_manifest_ struct manifest *manifest =
		make_point(fixture.domain, P1, "");

	manifest->disks[0].size_bytes = 1000;
	assert_int_equal(manifest_commit(fixture.domain, manifest, NULL),
			 -EBADMSG);
	catalog = load_catalog(fixture.domain);
	assert_int_equal(catalog->nr_points, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		scratch_test(test_no_points_is_an_empty_catalog),
		scratch_test(test_a_clock_set_back_does_not_change_the_order),
		scratch_test(
			test_points_are_found_by_name_beginning_and_latest),
		scratch_test(test_a_name_that_is_taken_gets_a_number),
		scratch_test(
			test_a_missing_parent_is_reported_and_the_rest_works),
		scratch_test(test_a_circle_is_reported_and_ends),
		scratch_test(test_two_children_are_reported),
		scratch_test(test_a_damaged_manifest_costs_that_point_only),
		scratch_test(test_a_point_of_another_domain_is_left_out),
		scratch_test(
			test_an_overlay_goes_on_the_newest_point_with_the_disk),
		scratch_test(test_a_point_is_committed_once_and_read_only),
		scratch_test(test_what_could_not_be_read_is_not_committed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
