/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Repositories, whose directory is whose, and images made by real qemu-img. */
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/io.h"
#include "base/run.h"
#include "check.h"
#include "points.h"
#include "repo/image.h"
#include "repo/leftovers.h"
#include "repo/qcow2.h"
#include "repo/sums.h"
#include "scratch.h"

#define P1 "20260101T000001Z"
#define P2 "20260101T000002Z"
#define P3 "20260101T000003Z"

static char *in(void **state, const char *name)
{
	return io_format("%s/%s", (char *)*state, name);
}

static void write_file(const char *path, const char *content)
{
	assert_int_equal(
		io_replace_file(path, content, strlen(content), 0600, NULL), 0);
}

/* ------------------------------------------------------------ repository */

static void test_an_empty_directory_becomes_a_repository_once(void **state)
{
	_cleanup_repo_ struct repo *first = NULL, *second = NULL;
	_cleanup_free_ char *lost = in(state, "lost+found");
	bool created = false;

	assert_int_equal(mkdir(lost, 0700), 0);
	assert_int_equal(repo_open_or_create(*state, &first, &created, NULL),
			 0);
	assert_true(created);
	assert_int_equal(repo_open_or_create(*state, &second, &created, NULL),
			 0);
	assert_false(created);
	assert_string_equal(first->id, second->id);
}

static void test_a_missing_directory_may_not_be_mounted(void **state)
{
	_cleanup_free_ char *path = in(state, "missing");
	struct repo *repo;
	struct err err = {0};
	bool created;

	assert_int_equal(repo_open_or_create(path, &repo, &created, &err),
			 -ENOENT);
	assert_non_null(strstr(err.text, "mounted"));
	assert_int_equal(access(path, F_OK), -1);
}

static void test_only_a_backup_makes_a_repository(void **state)
{
	struct repo *repo;

	assert_int_equal(repo_open(*state, &repo, NULL), -ENOENT);
	assert_int_equal(repo_open(*state, &repo, NULL), -ENOENT);
}

static void test_other_peoples_directories_are_left_alone(void **state)
{
	_cleanup_free_ char *path = in(state, "thesis.txt");
	_cleanup_free_ char *lock = in(state, ".lock");
	struct repo *repo;
	struct err err = {0};
	bool created;

	write_file(path, "x");
	assert_int_equal(repo_open_or_create(*state, &repo, &created, &err),
			 -ENOTEMPTY);
	assert_non_null(strstr(err.text, "not a repository"));
	assert_int_equal(access(lock, F_OK), -1);
	assert_int_equal(repo_open_or_create(path, &repo, &created, NULL),
			 -ENOTDIR);
}

static void test_a_repository_of_the_future_is_refused(void **state)
{
	_cleanup_free_ char *path = in(state, "dsync-repo.json");
	static const struct {
		const char *content;
		int code;
	} cases[] = {
		{"{\"format\":2,\"id\":\"" UUID_A "\"}", -EOPNOTSUPP},
		{"{\"format\":1,\"id\":\"x\"}", -EBADMSG},
		{"{\"format\":1}", -EBADMSG},
		{"{\"format\":1,\"id\":\"" UUID_A "\"", -EBADMSG},
		{"", -EBADMSG},
		{"{\"format\":1,\"id\":\"" UUID_A "\",\"new\":[]}", 0},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		_cleanup_repo_ struct repo *repo = NULL;
		bool created;

		write_file(path, cases[i].content);
		assert_int_equal(repo_open_or_create(*state, &repo, &created,
						     NULL),
				 cases[i].code);
	}
}

/* ---------------------------------------------------------------- domains */

static void test_a_domain_is_locked_for_one_run(void **state)
{
	_cleanup_repo_ struct repo *repo = open_repo(*state);
	_cleanup_repo_domain_ struct repo_domain *first =
		lock_domain(repo, "web", UUID_A);
	_cleanup_repo_domain_ struct repo_domain *other =
		lock_domain(repo, "db", UUID_B);
	struct repo_domain *second;

	assert_int_equal(repo_domain_lock(repo, "web", UUID_A, &second, NULL),
			 -EBUSY);
	repo_domain_close(TAKE_PTR(first));
	first = lock_domain(repo, "web", UUID_A);
}

static void test_a_name_taken_over_by_another_domain_is_refused(void **state)
{
	_cleanup_repo_ struct repo *repo = open_repo(*state);
	_cleanup_repo_domain_ struct repo_domain *first =
		lock_domain(repo, "web", UUID_A);
	struct repo_domain *second;
	struct err err = {0};

	add_point(first, P1, "", 1);
	repo_domain_close(TAKE_PTR(first));
	assert_int_equal(repo_domain_lock(repo, "web", UUID_B, &second, &err),
			 -ESTALE);
	assert_non_null(strstr(err.text, UUID_A));
}

static void test_a_renamed_domain_goes_on_where_it_was(void **state)
{
	_cleanup_repo_ struct repo *repo = open_repo(*state);
	_cleanup_repo_domain_ struct repo_domain *first =
		lock_domain(repo, "web", UUID_A);
	_cleanup_repo_domain_ struct repo_domain *renamed = NULL;
	_cleanup_free_ char *path = strdup(first->path);

	add_point(first, P1, "", 1);
	repo_domain_close(TAKE_PTR(first));
	renamed = lock_domain(repo, "www", UUID_A);
	assert_string_equal(renamed->path, path);
}

static void test_a_domain_is_found_by_name_and_uuid(void **state)
{
	_cleanup_repo_ struct repo *repo = open_repo(*state);
	_cleanup_repo_domain_ struct repo_domain *first =
		lock_domain(repo, "old name", UUID_A);
	static const char *const names[] = {"old name", "web", UUID_A};
	struct repo_domain *missing;

	add_point(first, P1, "", 1); /* says that its domain is called web */
	for (size_t i = 0; i < 3; i++) {
		_cleanup_repo_domain_ struct repo_domain *found = NULL;

		assert_int_equal(repo_domain_open(repo, names[i], &found, NULL),
				 0);
		assert_string_equal(found->path, first->path);
	}
	assert_int_equal(repo_domain_open(repo, "db", &missing, NULL), -ENOENT);
	assert_int_equal(repo_domain_open(repo, UUID_B, &missing, NULL),
			 -ENOENT);
	assert_int_equal(repo_domain_open(repo, "..", &missing, NULL), -EINVAL);
}

static void test_domains_are_listed_and_nothing_else(void **state)
{
	_cleanup_repo_ struct repo *repo = open_repo(*state);
	_cleanup_repo_domain_ struct repo_domain *one =
		lock_domain(repo, "web 1", UUID_A);
	_cleanup_repo_domain_ struct repo_domain *two =
		lock_domain(repo, "db", UUID_B);
	_cleanup_strings_ char **names = NULL;
	_cleanup_free_ char *lost = in(state, "lost+found");
	size_t count;

	assert_int_equal(mkdir(lost, 0700), 0);
	assert_int_equal(repo_list_domains(repo, &names, &count, NULL), 0);
	assert_int_equal(count, 2);
	assert_string_equal(names[0], "db");
	assert_string_equal(names[1], "web%201");
	assert_null(names[2]);
}

/* ----------------------------------------------------------------- images */

/* Sums of nothing, as an image without content has. */
static int make_sums(const struct repo_domain *domain, const char *point,
		     const char *backing, uint64_t size, struct err *err)
{
	_cleanup_free_ char *path = sums_partial_path(domain, "vda", point);
	const struct sums_id id = {.repo_id = domain->repo_id,
				   .domain_uuid = UUID_A,
				   .target = "vda",
				   .point = point,
				   .backing = backing ? backing : "",
				   .size_bytes = size};
	_cleanup_sums_writer_ struct sums_writer *writer = NULL;
	int r = sums_writer_open(path, &id, &writer, err);

	return r < 0 ? r : sums_writer_finish(writer, err);
}

static void make_image(const struct repo_domain *domain, const char *point,
		       const char *backing, uint64_t size)
{
	_cleanup_free_ char *path = NULL;
	struct err err = {0};

	if (image_create_partial(domain, "vda", point, size, backing, &path,
				 &err) < 0 ||
	    make_sums(domain, point, backing, size, &err) < 0 ||
	    image_finish(domain, "vda", point, &err) < 0)
		test_failed("%s", err.text);
}

static void
test_an_image_is_whole_and_read_only_when_it_has_its_name(void **state)
{
	_cleanup_repo_ struct repo *repo = open_repo(*state);
	_cleanup_repo_domain_ struct repo_domain *domain =
		lock_domain(repo, "web", UUID_A);
	_cleanup_free_ char *path = image_path(domain, "vda", P1);
	_cleanup_free_ char *partial = NULL;
	struct stat st;

	assert_int_equal(image_create_partial(domain, "vda", P1, MIB, NULL,
					      &partial, NULL),
			 0);
	assert_int_equal(access(path, F_OK), -1);
	assert_int_equal(make_sums(domain, P1, NULL, MIB, NULL), 0);
	assert_int_equal(image_finish(domain, "vda", P1, NULL), 0);
	assert_int_equal(access(partial, F_OK), -1);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0400);
}

static void test_an_overlay_names_its_backing_file_relatively(void **state)
{
	_cleanup_repo_ struct repo *repo = open_repo(*state);
	_cleanup_repo_domain_ struct repo_domain *domain =
		lock_domain(repo, "web", UUID_A);
	_cleanup_free_ char *path = image_path(domain, "vda", P2);
	_cleanup_close_ int fd = -1;
	struct qcow2_header header;

	make_image(domain, P1, NULL, MIB);
	make_image(domain, P2, P1, 2 * MIB);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	assert_int_equal(qcow2_read_header(fd, &header), 0);
	assert_string_equal(header.backing, P1 ".qcow2");
	assert_int_equal(header.size_bytes, 2 * MIB);
	assert_int_equal(header.cluster_bytes, 128 << 10);
	assert_false(header.external_data);
}

static void test_what_an_unfinished_run_left_is_removed(void **state)
{
	_cleanup_repo_ struct repo *repo = open_repo(*state);
	_cleanup_repo_domain_ struct repo_domain *domain =
		lock_domain(repo, "web", UUID_A);
	_cleanup_free_ char *kept = image_path(domain, "vda", P1);
	_cleanup_free_ char *orphan = image_path(domain, "vda", P2);
	_cleanup_free_ char *kept_partial =
		image_partial_path(domain, "vda", P2);
	_cleanup_free_ char *temporary =
		io_format("%s/points/%s.json.tmp", domain->path, P2);
	_cleanup_free_ char *partial = NULL;
	_cleanup_catalog_ struct catalog *catalog = NULL;
	unsigned int removed;

	make_image(domain, P1, NULL, MIB);
	add_point(domain, P1, "", 1);
	make_image(domain, P2, P1, MIB);
	write_file(temporary, "{");
	assert_int_equal(image_create_partial(domain, "vda", P3, MIB, P1,
					      &partial, NULL),
			 0);
	catalog = load_catalog(domain);
	assert_int_equal(leftovers_discard(domain, catalog, &removed, NULL), 0);
	assert_int_equal(removed, 2);
	assert_int_equal(access(kept, F_OK), 0);
	assert_int_equal(access(orphan, F_OK), -1);
	/* What it has need not be sent again. */
	assert_int_equal(access(kept_partial, F_OK), 0);
	assert_int_equal(access(partial, F_OK), -1);
	assert_int_equal(access(temporary, F_OK), -1);
}

static void test_an_image_that_others_are_read_through_stays(void **state)
{
	_cleanup_repo_ struct repo *repo = open_repo(*state);
	_cleanup_repo_domain_ struct repo_domain *domain =
		lock_domain(repo, "web", UUID_A);
	_cleanup_catalog_ struct catalog *catalog = NULL;
	unsigned int removed;

	make_image(domain, P1, NULL, MIB);
	make_image(domain, P2, P1, MIB);
	add_point(domain, P2, P1, 2);
	catalog = load_catalog(domain);
	assert_int_equal(leftovers_discard(domain, catalog, &removed, NULL), 0);
	assert_int_equal(removed, 0);
}

static void test_with_a_damaged_manifest_no_image_is_removed(void **state)
{
	_cleanup_repo_ struct repo *repo = open_repo(*state);
	_cleanup_repo_domain_ struct repo_domain *domain =
		lock_domain(repo, "web", UUID_A);
	_cleanup_free_ char *manifest =
		io_format("%s/points/%s.json", domain->path, P1);
	_cleanup_free_ char *image = image_path(domain, "vda", P1);
	_cleanup_catalog_ struct catalog *catalog = NULL;
	unsigned int removed;

	make_image(domain, P1, NULL, MIB);
	write_file(manifest, "{");
	catalog = load_catalog(domain);
	assert_int_equal(leftovers_discard(domain, catalog, &removed, NULL), 0);
	assert_int_equal(removed, 0);
	assert_int_equal(access(image, F_OK), 0);
}

static int check_newest(const struct repo_domain *domain, struct err *err)
{
	_cleanup_catalog_ struct catalog *catalog = load_catalog(domain);

	return image_check_chain(domain, catalog, catalog_newest(catalog),
				 "vda", err);
}

static void test_a_chain_is_checked_before_qemu_follows_it(void **state)
{
	_cleanup_repo_ struct repo *repo = open_repo(*state);
	_cleanup_repo_domain_ struct repo_domain *domain =
		lock_domain(repo, "web", UUID_A);
	_cleanup_free_ char *base = image_path(domain, "vda", P1);
	_cleanup_free_ char *aside = io_format("%s.aside", base);
	const char *foreign[] = {"qemu-img", "create", "-q", "-f",
				 "qcow2",    "-u",     "-b", "/etc/passwd",
				 "-F",       "raw",    base, "1M",
				 NULL};
	const char *larger[] = {"qemu-img", "create", "-q", "-f",
				"qcow2",    base,     "2M", NULL};
	struct err err = {0};

	make_image(domain, P1, NULL, MIB);
	make_image(domain, P2, P1, MIB);
	add_point(domain, P1, "", 1);
	add_point(domain, P2, P1, 2);
	assert_int_equal(check_newest(domain, NULL), 0);
	assert_int_equal(rename(base, aside), 0);
	assert_int_equal(check_newest(domain, &err), -EBADMSG);
	assert_non_null(strstr(err.text, "missing"));
	assert_int_equal(symlink(aside, base), 0);
	assert_int_equal(check_newest(domain, NULL), -EBADMSG);
	assert_int_equal(unlink(base), 0);
	assert_int_equal(run_command(foreign, NULL), 0);
	err_clear(&err);
	assert_int_equal(check_newest(domain, &err), -EBADMSG);
	assert_non_null(strstr(err.text, "does not name"));
	assert_int_equal(run_command(larger, NULL), 0);
	assert_int_equal(check_newest(domain, NULL), -EBADMSG);
	write_file(base, "not an image");
	assert_int_equal(check_newest(domain, NULL), -EBADMSG);
}

static void test_holes_are_dug_and_nothing_reads_differently(void **state)
{
	_cleanup_free_ char *path = in(state, "x.qcow2");
	_cleanup_free_ char *copy = in(state, "copy");
	_cleanup_close_ int fd = -1;
	struct qcow2_header header;
	struct stat before, after;
	/* One block in each of 16 tables. */
	const char *create[] = {"qemu-img",
				"create",
				"-q",
				"-f",
				"qcow2",
				"-o",
				"cluster_size=128k,"
				"extended_l2=on",
				path,
				"16G",
				NULL};
	const char *fill[] = {
		"sh", "-c",
		"for g in 0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15; do echo "
		"write -P 7 ${g}G 4k; done | qemu-io -f qcow2 \"$0\"",
		path, NULL};
	const char *duplicate[] = {"cp", path, copy, NULL};
	const char *compare[] = {"cmp", path, copy, NULL};

	assert_int_equal(run_command(create, NULL), 0);
	assert_int_equal(run_command(fill, NULL), 0);
	assert_int_equal(run_command(duplicate, NULL), 0);
	assert_int_equal(stat(path, &before), 0);
	fd = open(path, O_RDWR | O_CLOEXEC);
	assert_int_equal(qcow2_read_header(fd, &header), 0);
	assert_int_equal(qcow2_dig_holes(fd, &header), 0);
	assert_int_equal(stat(path, &after), 0);
	assert_int_equal(run_command(compare, NULL), 0);
	/* 16 tables of 128 KiB, of which 4 KiB each are in use. */
	assert_true(before.st_blocks - after.st_blocks >= 16 * 120 * 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		scratch_test(test_an_empty_directory_becomes_a_repository_once),
		scratch_test(test_a_missing_directory_may_not_be_mounted),
		scratch_test(test_only_a_backup_makes_a_repository),
		scratch_test(test_other_peoples_directories_are_left_alone),
		scratch_test(test_a_repository_of_the_future_is_refused),
		scratch_test(test_a_domain_is_locked_for_one_run),
		scratch_test(
			test_a_name_taken_over_by_another_domain_is_refused),
		scratch_test(test_a_renamed_domain_goes_on_where_it_was),
		scratch_test(test_a_domain_is_found_by_name_and_uuid),
		scratch_test(test_domains_are_listed_and_nothing_else),
		scratch_test(
			test_an_image_is_whole_and_read_only_when_it_has_its_name),
		scratch_test(test_an_overlay_names_its_backing_file_relatively),
		scratch_test(test_what_an_unfinished_run_left_is_removed),
		scratch_test(test_an_image_that_others_are_read_through_stays),
		scratch_test(test_with_a_damaged_manifest_no_image_is_removed),
		scratch_test(test_a_chain_is_checked_before_qemu_follows_it),
		scratch_test(test_holes_are_dug_and_nothing_reads_differently),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
