/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Ranges of damaged blocks are a set; what cannot be read is all of them. */
#include <string.h>
#include <time.h>

#include "base/err.h"
#include "base/io.h"
#include "points.h"
#include "repo/damage.h"
#include "scratch.h"

#define NR_BLOCKS 300
#define POINT "20260101T000000Z"
#define OTHER "20260102T000000Z"

static unsigned int seed;

static void check(const struct damage *damage, const bool *model)
{
	uint64_t end = 0;

	for (uint64_t block = 0; block < NR_BLOCKS; block++)
		assert_int_equal(damage_has(damage, block), model[block]);
	for (size_t i = 0; i < damage->nr_ranges; i++) {
		assert_true(damage->ranges[i].count > 0);
		/* Apart, or they would be one. */
		assert_true(i == 0 || damage->ranges[i].first > end);
		end = damage->ranges[i].first + damage->ranges[i].count;
	}
}

static void ranges_are_a_set(void **state)
{
	_cleanup_damage_ struct damage damage = {0};
	bool model[NR_BLOCKS] = {false};

	for (int i = 0; i < 5000; i++) {
		uint64_t first = rand_r(&seed) % NR_BLOCKS;
		uint64_t count = 1 + rand_r(&seed) % 8;

		if (count > NR_BLOCKS - first)
			count = 1;
		if (rand_r(&seed) % 3) {
			assert_int_equal(damage_remove(&damage, first), 0);
			model[first] = false;
		} else {
			assert_int_equal(damage_add(&damage, first, count), 0);
			memset(model + first, true, count);
		}
		check(&damage, model);
	}
}

static struct repo_domain *make_domain(void **state, struct repo **ret_repo)
{
	_cleanup_free_ char *directory =
		io_format("%s/web/disks/vda", (char *)*state);
	struct repo_domain *domain;

	*ret_repo = open_repo(*state);
	domain = lock_domain(*ret_repo, "web", UUID_A);
	assert_int_equal(io_make_dirs(directory, NULL), 0);
	return domain;
}

static void what_is_stored_is_loaded(void **state)
{
	_cleanup_repo_ struct repo *repo = NULL;
	_cleanup_repo_domain_ struct repo_domain *domain =
		make_domain(state, &repo);
	_cleanup_damage_ struct damage damage = {0}, again = {0}, both = {0};
	_cleanup_free_ char *path = damage_path(domain, "vda", POINT);

	assert_int_equal(damage_load(domain, "vda", POINT, &again, NULL), 0);
	assert_int_equal(again.nr_ranges, 0);
	damage_add(&damage, 7, 3);
	damage_add(&damage, 100, 1);
	assert_int_equal(damage_store(domain, "vda", POINT, &damage, NULL), 0);
	assert_int_equal(damage_load(domain, "vda", POINT, &again, NULL), 0);
	assert_int_equal(again.nr_ranges, 2);
	assert_true(damage_has(&again, 9) && !damage_has(&again, 10));

	assert_int_equal(damage_inherit(domain, "vda", OTHER, POINT, NULL), 0);
	assert_int_equal(damage_load(domain, "vda", OTHER, &both, NULL), 0);
	assert_true(damage_has(&both, 7) && damage_has(&both, 100));

	damage_clear(&damage);
	assert_int_equal(damage_store(domain, "vda", POINT, &damage, NULL), 0);
	assert_int_equal(access(path, F_OK), -1);
}

static void nonsense_is_all_of_it(void **state)
{
	static const char *const texts[] = {
		"",
		"{",
		"{\"format\": 2, \"blocks\": []}",
		"{\"format\": 1}",
		"{\"format\": 1, \"blocks\": [{\"first\": 5, \"count\": 0}]}",
		"{\"format\": 1, \"blocks\": [{\"first\": 5, \"count\": 2}, "
		"{\"first\": 6, \"count\": 1}]}",
		"{\"format\": 1, \"blocks\": [{\"first\": -1, \"count\": 1}]}"};
	_cleanup_repo_ struct repo *repo = NULL;
	_cleanup_repo_domain_ struct repo_domain *domain =
		make_domain(state, &repo);
	_cleanup_free_ char *path = damage_path(domain, "vda", POINT);

	for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++) {
		_cleanup_damage_ struct damage damage = {0};

		assert_int_equal(io_replace_file(path, texts[i],
						 strlen(texts[i]), 0600, NULL),
				 0);
		assert_int_equal(
			damage_load(domain, "vda", POINT, &damage, NULL), 0);
		assert_true(damage_has(&damage, 0));
		assert_true(damage_has(&damage, UINT64_C(1) << 40));
	}
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ranges_are_a_set),
		scratch_test(what_is_stored_is_loaded),
		scratch_test(nonsense_is_all_of_it),
	};

	seed = argc > 1 ? strtoul(argv[1], NULL, 0) : (unsigned int)time(NULL);
	printf("seed %u (give it as the argument to repeat)\n", seed);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
