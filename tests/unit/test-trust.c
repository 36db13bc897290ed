/* SPDX-License-Identifier: GPL-2.0-or-later */
/* When metadata is believed: only after a run that ended, with the disk left
 * alone since, or after a crash. */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "base/err.h"
#include "base/io.h"
#include "dm/trust.h"
#include "scratch.h"

#include <cmocka.h> /* last: it has a macro fail() */

static char data[SCRATCH_SIZE + 16];

static void write_data(const char *text)
{
	assert_int_equal(io_replace_file(data, text, strlen(text), 0600, NULL),
			 0);
}

static struct trust vda(void **state)
{
	snprintf(data, sizeof(data), "%s/data", (char *)*state);
	if (access(data, F_OK) < 0)
		write_data("content");
	return (struct trust){*state, "vda", data, "/meta"};
}

static bool is_trusted(const struct trust *trust)
{
	const char *why;
	bool trusted;

	assert_int_equal(trust_check(trust, &trusted, &why, NULL), 0);
	assert_non_null(why);
	return trusted;
}

/* A run that ends as it should. */
static void run(const struct trust *trust)
{
	assert_int_equal(trust_begin(trust, NULL), 0);
	assert_int_equal(trust_end(trust->state_dir, trust->target, NULL), 0);
}

/* Neither now nor at a second look. */
static void assert_not_trusted(const struct trust *trust)
{
	assert_false(is_trusted(trust));
	assert_false(is_trusted(trust));
}

static void nothing_is_trusted_before_the_first_run(void **state)
{
	const struct trust trust = vda(state);

	assert_not_trusted(&trust);
	assert_int_equal(trust_end(*state, "vda", NULL), 0);
	assert_not_trusted(&trust);
}

static void a_disk_that_was_left_alone_is_trusted(void **state)
{
	const struct trust trust = vda(state);

	run(&trust);
	assert_true(is_trusted(&trust));
	assert_true(is_trusted(&trust));
}

static void after_a_crash_the_module_decides(void **state)
{
	const struct trust trust = vda(state);

	run(&trust);
	assert_int_equal(trust_begin(&trust, NULL), 0);
	assert_int_equal(truncate(data, 3), 0);
	assert_true(is_trusted(&trust));
}

static void after_a_crash_another_file_is_noticed(void **state)
{
	const struct trust trust = vda(state);

	run(&trust);
	assert_int_equal(trust_begin(&trust, NULL), 0);
	write_data("content"); /* by rename */
	assert_not_trusted(&trust);
}

static void a_write_in_between_is_noticed(void **state)
{
	const struct trust trust = vda(state);
	_cleanup_close_ int fd = open(data, O_WRONLY);
	struct timespec times[2];
	struct stat st;

	run(&trust);
	assert_int_equal(pwrite(fd, "C", 1, 0), 1);
	/* Whatever the clock's granularity is. */
	assert_int_equal(fstat(fd, &st), 0);
	times[0] = times[1] = st.st_mtim;
	times[1].tv_nsec ^= 1;
	assert_int_equal(futimens(fd, times), 0);
	assert_not_trusted(&trust);
}

static void another_file_or_size_is_noticed(void **state)
{
	const struct trust trust = vda(state);

	run(&trust);
	write_data("content"); /* by rename */
	assert_not_trusted(&trust);
	run(&trust);
	assert_int_equal(truncate(data, 3), 0);
	assert_not_trusted(&trust);
}

static void metadata_of_another_place_is_not_trusted(void **state)
{
	struct trust trust = vda(state);

	run(&trust);
	trust.meta = "/other";
	assert_not_trusted(&trust);
}

static void what_is_forgotten_stays_so(void **state)
{
	const struct trust trust = vda(state);
	unsigned int count;

	assert_int_equal(trust_begin(&trust, NULL), 0);
	assert_int_equal(trust_forget(*state, "vda", NULL), 0);
	assert_int_equal(trust_end(*state, "vda", NULL), 0);
	assert_not_trusted(&trust);

	run(&trust);
	assert_int_equal(
		trust_forget_others(*state, &trust.target, 1, &count, NULL), 0);
	assert_int_equal(count, 0);
	assert_true(is_trusted(&trust));
	assert_int_equal(trust_forget_others(*state, NULL, 0, &count, NULL), 0);
	assert_int_equal(count, 1);
	assert_not_trusted(&trust);
}

static void a_damaged_record_is_not_trusted(void **state)
{
	const struct trust trust = vda(state);
	_cleanup_free_ char *path = io_format("%s/trust/vda", (char *)*state);
	struct stat st;

	run(&trust);
	assert_int_equal(stat(path, &st), 0);
	for (off_t size = st.st_size - 1; size >= 0; size--) {
		run(&trust);
		assert_int_equal(truncate(path, size), 0);
		assert_not_trusted(&trust);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		scratch_test(nothing_is_trusted_before_the_first_run),
		scratch_test(a_disk_that_was_left_alone_is_trusted),
		scratch_test(after_a_crash_the_module_decides),
		scratch_test(after_a_crash_another_file_is_noticed),
		scratch_test(a_write_in_between_is_noticed),
		scratch_test(another_file_or_size_is_noticed),
		scratch_test(metadata_of_another_place_is_not_trusted),
		scratch_test(what_is_forgotten_stays_so),
		scratch_test(a_damaged_record_is_not_trusted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
