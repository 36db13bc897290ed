/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A file of sums gives back what it was given, in any order of asking, and a
 * damaged one never says anything else: it is unknown, or it is right.
 */
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/err.h"
#include "base/io.h"
#include "points.h"
#include "repo/image.h"
#include "repo/sums-view.h"
#include "repo/sums.h"
#include "scratch.h"

#define REPO "11111111-1111-4111-8111-111111111111"
#define POINT_1 "20260101T000000Z"
#define POINT_2 "20260102T000000Z"
#define NR_BLOCKS UINT64_C(300000)
#define WINDOW 8192

static unsigned int seed;

static uint64_t below(uint64_t n)
{
	return ((uint64_t)rand_r(&seed) << 31 | rand_r(&seed)) % n;
}

static struct sums_id id_of(const char *point, const char *backing)
{
	return (struct sums_id){.repo_id = REPO,
				.domain_uuid = UUID_A,
				.target = "vda",
				.point = point,
				.backing = backing,
				.size_bytes = NR_BLOCKS * SUM_BLOCK_BYTES};
}

/* ---------------------------------------------------------------- a model */

static struct sum random_sum(enum sum_kind kind)
{
	struct sum sum = {.kind = kind};

	for (size_t i = 0; kind == SUM_DATA && i < SUM_BYTES; i++)
		sum.bytes[i] = below(256);
	return sum;
}

/* Stretches of each kind, from one block to many. */
static struct sum *make_model(void)
{
	struct sum *model = calloc(NR_BLOCKS, sizeof(*model));
	uint64_t block = 0;

	while (block < NR_BLOCKS) {
		uint64_t left = NR_BLOCKS - block;
		uint64_t length = 1 + below(below(3) ? 4 : 20000);
		enum sum_kind kind = below(3);

		for (uint64_t i = 0; i < length && i < left; i++)
			model[block + i] = random_sum(kind);
		block += length;
	}
	return model;
}

static void write_model(const char *path, const struct sums_id *id,
			const struct sum *model)
{
	_cleanup_sums_writer_ struct sums_writer *writer = NULL;
	struct err err = {0};
	int r = sums_writer_open(path, id, &writer, &err);
	uint64_t block = 0;

	while (r == 0 && block < NR_BLOCKS) {
		uint64_t count = 1 + below(WINDOW);

		if (count > NR_BLOCKS - block)
			count = NR_BLOCKS - block;
		r = sums_writer_add(writer, block, model + block, count, &err);
		block += count;
	}
	if (r == 0)
		r = sums_writer_finish(writer, &err);
	if (r < 0)
		test_failed("%s", err.text);
}

static bool same(const struct sum *a, const struct sum *b)
{
	return a->kind == b->kind &&
	       (a->kind != SUM_DATA ||
		memcmp(a->bytes, b->bytes, SUM_BYTES) == 0);
}

static char *path_in(void **state, const char *name)
{
	return io_format("%s/%s", (const char *)*state, name);
}

static struct sums *open_file(const char *path, const struct sums_id *id)
{
	struct sums *file = NULL;
	struct err err = {0};

	if (sums_open(path, id, &file, &err) < 0)
		test_failed("%s", err.text);
	return file;
}

/* ------------------------------------------------------------------ tests */

static void check_window(struct sums *file, const struct sum *model,
			 uint64_t first, uint64_t count)
{
	struct sum sums[WINDOW] = {0};
	struct err err = {0};

	if (sums_look_up(file, first, count, sums, &err) < 0)
		test_failed("%s", err.text);
	for (uint64_t i = 0; i < count; i++)
		if (!same(&sums[i], &model[first + i]))
			test_failed("block %llu differs",
				    (unsigned long long)(first + i));
}

static void gives_back_what_it_was_given(void **state)
{
	_cleanup_free_ char *path = path_in(state, "sums");
	_cleanup_free_ struct sum *model = make_model();
	const struct sums_id id = id_of(POINT_1, "");
	_cleanup_sums_ struct sums *file = NULL;
	uint64_t block = 0;

	write_model(path, &id, model);
	file = open_file(path, &id);
	while (block < NR_BLOCKS) {
		uint64_t count = 1 + below(WINDOW);

		if (count > NR_BLOCKS - block)
			count = NR_BLOCKS - block;
		check_window(file, model, block, count);
		block += count + below(2) * below(3000);
	}
	for (int i = 0; i < 2000; i++) {
		block = below(NR_BLOCKS);
		check_window(file, model, block,
			     1 + below(NR_BLOCKS - block < 64
					       ? NR_BLOCKS - block
					       : 64));
	}
}

static void runs_are_what_it_knows(void **state)
{
	_cleanup_free_ char *path = path_in(state, "sums");
	_cleanup_free_ struct sum *model = make_model();
	const struct sums_id id = id_of(POINT_1, "");
	_cleanup_sums_ struct sums *file = NULL;
	uint64_t block = 0, first, count;

	write_model(path, &id, model);
	file = open_file(path, &id);
	while (sums_next_run(file, block, 1 + below(5000), &first, &count,
			     NULL) > 0) {
		for (; block < first; block++)
			assert_int_equal(model[block].kind, SUM_UNKNOWN);
		for (; block < first + count; block++)
			assert_int_not_equal(model[block].kind, SUM_UNKNOWN);
	}
	for (; block < NR_BLOCKS; block++)
		assert_int_equal(model[block].kind, SUM_UNKNOWN);
}

static void a_file_of_another_image_is_refused(void **state)
{
	_cleanup_free_ char *path = path_in(state, "sums");
	_cleanup_free_ struct sum *model = make_model();
	const struct sums_id id = id_of(POINT_2, POINT_1);
	struct sums_id other;
	struct sums *file;

	write_model(path, &id, model);
#define refuses(field, value) \
	other = id;           \
	other.field = value;  \
	assert_int_equal(sums_open(path, &other, &file, NULL), -EBADMSG)
	refuses(repo_id, UUID_B);
	refuses(domain_uuid, UUID_B);
	refuses(target, "vdb");
	refuses(point, POINT_1);
	refuses(size_bytes, id.size_bytes + SUM_BLOCK_BYTES);
}

/* Whatever a damaged file still says, it is what was written. */
static void check_never_wrong(const char *path, const struct sums_id *id,
			      const struct sum *model)
{
	_cleanup_sums_ struct sums *file = NULL;
	struct sum sums[WINDOW];

	if (sums_open(path, id, &file, NULL) < 0)
		return;
	for (uint64_t at = 0; at < NR_BLOCKS; at += WINDOW) {
		uint64_t count = NR_BLOCKS - at < WINDOW ? NR_BLOCKS - at
							 : WINDOW;

		memset(sums, 0, sizeof(sums));
		(void)sums_look_up(file, at, count, sums, NULL);
		for (uint64_t i = 0; i < count; i++)
			if (sums[i].kind != SUM_UNKNOWN &&
			    !same(&sums[i], &model[at + i]))
				test_failed("block %llu is wrong",
					    (unsigned long long)(at + i));
	}
}

static void flip(const char *path, uint64_t offset)
{
	_cleanup_close_ int fd = open(path, O_RDWR);
	uint8_t byte;

	assert_int_equal(pread(fd, &byte, 1, offset), 1);
	byte ^= 1 << below(8);
	assert_int_equal(pwrite(fd, &byte, 1, offset), 1);
}

static void a_damaged_file_is_never_wrong(void **state)
{
	_cleanup_free_ char *path = path_in(state, "sums");
	_cleanup_free_ char *content = NULL;
	_cleanup_free_ struct sum *model = make_model();
	const struct sums_id id = id_of(POINT_1, "");
	size_t size_bytes;

	write_model(path, &id, model);
	assert_int_equal(
		io_read_file(path, 1 << 30, &content, &size_bytes, NULL), 0);
	for (int i = 0; i < 60; i++) {
		assert_int_equal(io_replace_file(path, content, size_bytes,
						 0600, NULL),
				 0);
		if (i % 3 == 0)
			assert_int_equal(truncate(path, below(size_bytes)), 0);
		else if (i % 3 == 1) /* a page's header, or the file's */
			flip(path, below(5) * 65536 + below(4096 + 48));
		else
			flip(path, below(size_bytes));
		check_never_wrong(path, &id, model);
	}
}

#define FEW_BLOCKS 40

/* Every kind, in runs of five. */
static void write_few(const char *path, const struct sums_id *id,
		      struct sum *model)
{
	_cleanup_sums_writer_ struct sums_writer *writer = NULL;

	for (size_t i = 0; i < FEW_BLOCKS; i++)
		model[i] = random_sum(i / 5 % 4);
	assert_int_equal(sums_writer_open(path, id, &writer, NULL), 0);
	assert_int_equal(sums_writer_add(writer, 0, model, FEW_BLOCKS, NULL),
			 0);
	assert_int_equal(sums_writer_finish(writer, NULL), 0);
	assert_int_equal(chmod(path, 0600), 0);
}

static void no_byte_of_a_file_can_change_unnoticed(void **state)
{
	_cleanup_free_ char *path = path_in(state, "sums");
	_cleanup_free_ char *content = NULL;
	struct sums_id id = id_of(POINT_1, "");
	_cleanup_close_ int fd = -1;
	struct sum model[FEW_BLOCKS];
	size_t size_bytes;

	id.size_bytes = FEW_BLOCKS * SUM_BLOCK_BYTES;
	write_few(path, &id, model);
	assert_int_equal(
		io_read_file(path, 1 << 20, &content, &size_bytes, NULL), 0);
	fd = open(path, O_WRONLY);
	for (size_t at = 0; at < size_bytes; at++) {
		_cleanup_sums_ struct sums *file = NULL;
		struct sum sums[FEW_BLOCKS] = {0};

		flip(path, at);
		if (sums_open(path, &id, &file, NULL) == 0 &&
		    sums_look_up(file, 0, FEW_BLOCKS, sums, NULL) != -EBADMSG)
			test_failed("byte %zu was flipped unnoticed", at);
		assert_int_equal(pwrite(fd, content + at, 1, at), 1);
	}
}

/* ------------------------------------------------------------- the layers */

static void write_layer(const struct repo_domain *domain, const char *point,
			const char *backing, const struct sum *model)
{
	_cleanup_free_ char *path = sums_path(domain, "vda", point);
	struct sums_id id = id_of(point, backing);

	id.repo_id = domain->repo_id;
	write_model(path, &id, model);
}

static struct sums_view *open_view(const struct repo_domain *domain)
{
	_cleanup_catalog_ struct catalog *catalog = load_catalog(domain);
	struct sums_view *view = NULL;
	struct err err = {0};

	if (sums_view_open(domain, catalog, catalog_newest(catalog), "vda",
			   &view, &err) < 0)
		test_failed("%s", err.text);
	return view;
}

static struct sum expected(const struct sum *lower, const struct sum *upper)
{
	const struct sum zero = {.kind = SUM_ZERO};

	if (upper->kind)
		return *upper;
	return lower->kind ? *lower : zero;
}

static void add_sized_point(const struct repo_domain *domain, const char *point,
			    const char *parent, time_t created)
{
	_cleanup_manifest_ struct manifest *manifest =
		make_point(domain, point, parent);

	manifest->created = created;
	manifest->disks[0].size_bytes = NR_BLOCKS * SUM_BLOCK_BYTES;
	commit(domain, manifest);
}

static void the_newest_layer_counts(void **state)
{
	_cleanup_repo_ struct repo *repo = open_repo(*state);
	_cleanup_repo_domain_ struct repo_domain *domain =
		lock_domain(repo, "web", UUID_A);
	_cleanup_free_ struct sum *lower = make_model(), *upper = make_model();
	_cleanup_free_ char *directory = path_in(state, "web/disks/vda");
	_cleanup_free_ char *path = sums_path(domain, "vda", POINT_1);
	_cleanup_sums_view_ struct sums_view *view = NULL, *without = NULL;
	struct sum sums[WINDOW];
	uint16_t layers[WINDOW];

	assert_int_equal(io_make_dirs(directory, NULL), 0);
	add_sized_point(domain, POINT_1, "", 1000);
	add_sized_point(domain, POINT_2, POINT_1, 2000);
	write_layer(domain, POINT_1, "", lower);
	write_layer(domain, POINT_2, POINT_1, upper);
	view = open_view(domain);
	for (uint64_t at = 0; at + WINDOW < NR_BLOCKS; at += WINDOW) {
		sums_view_look_up(view, at, WINDOW, sums, layers);
		for (uint64_t i = 0; i < WINDOW; i++) {
			const struct sum want =
				expected(&lower[at + i], &upper[at + i]);

			assert_true(same(&sums[i], &want));
			assert_int_equal(layers[i], upper[at + i].kind ? 0
						    : lower[at + i].kind
							    ? 1
							    : UINT16_MAX);
		}
	}
	assert_null(sums_view_problem(view));

	/* Without the lower one, what the upper has not is unknown. */
	unlink(path);
	without = open_view(domain);
	for (uint64_t at = 0; at + WINDOW < NR_BLOCKS; at += WINDOW) {
		sums_view_look_up(without, at, WINDOW, sums, NULL);
		for (uint64_t i = 0; i < WINDOW; i++)
			assert_true(same(&sums[i], &upper[at + i]));
	}
	assert_non_null(sums_view_problem(without));
}

static void zeroes_and_seeds_make_a_difference(void **state)
{
	uint8_t block[SUM_BLOCK_BYTES] = {0};
	struct sum_key one, other;
	struct sum a, b;

	sum_key_init(&one, UUID_A);
	sum_key_init(&other, UUID_B);
	assert_int_equal(sum_of(&one, block, sizeof(block)).kind, SUM_ZERO);
	block[SUM_BLOCK_BYTES - 1] = 1;
	a = sum_of(&one, block, sizeof(block));
	b = sum_of(&other, block, sizeof(block));
	assert_int_equal(a.kind, SUM_DATA);
	assert_false(sum_equal(&a, &b));
	b = sum_of(&one, block, sizeof(block));
	assert_true(sum_equal(&a, &b));
	b = (struct sum){0};
	a = b;
	assert_false(sum_equal(&a, &b));
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		scratch_test(gives_back_what_it_was_given),
		scratch_test(runs_are_what_it_knows),
		scratch_test(a_file_of_another_image_is_refused),
		scratch_test(a_damaged_file_is_never_wrong),
		scratch_test(no_byte_of_a_file_can_change_unnoticed),
		scratch_test(the_newest_layer_counts),
		cmocka_unit_test(zeroes_and_seeds_make_a_difference),
	};

	seed = argc > 1 ? strtoul(argv[1], NULL, 0) : (unsigned int)time(NULL);
	printf("seed %u (give it as the argument to repeat)\n", seed);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
