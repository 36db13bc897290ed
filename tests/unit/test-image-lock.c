/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Our image locks and QEMU's, each against the other. */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/err.h"
#include "base/run.h"
#include "dm/image-lock.h"

#include <cmocka.h> /* last: it has a macro fail() */

#define SIZE_BYTES (1 << 20)

static char image[] = "/tmp/test-image-lock.XXXXXX";

static int make_image(void **state)
{
	int fd = mkstemp(image);

	if (fd < 0 || ftruncate(fd, SIZE_BYTES) < 0)
		return -1;
	return close(fd);
}

static int remove_image(void **state)
{
	return unlink(image);
}

static int open_image(void)
{
	int fd = open(image, O_RDWR | O_CLOEXEC);

	assert_true(fd >= 0);
	return fd;
}

/* Runs qemu-io with @command on the image; skips the test without qemu-io. */
static int qemu_io(const char *command, struct err *err)
{
	const char *argv[] = {"qemu-io", "-f",  "raw", "-c",
			      command,   image, NULL};
	int r = run_command(argv, err);

	if (r == -ENOENT)
		skip();
	return r;
}

static void qemu_is_refused_while_we_have_the_image(void **state)
{
	_cleanup_close_ int fd = open_image();
	struct err err = {0};

	assert_int_equal(qemu_io("write 0 4k", NULL), 0);
	assert_int_equal(image_lock(fd, image, NULL), 0);
	assert_int_not_equal(qemu_io("write 0 4k", &err), 0);
	assert_non_null(strstr(err.text, "lock"));
}

static void the_lock_lasts_as_long_as_the_description(void **state)
{
	_cleanup_close_ int copy = -1;
	int fd = open_image();

	assert_int_equal(image_lock(fd, image, NULL), 0);
	copy = dup(fd);
	close(fd);
	assert_int_not_equal(qemu_io("write 0 4k", NULL), 0);
	close(TAKE_FD(copy));
	assert_int_equal(qemu_io("write 0 4k", NULL), 0);
}

/* Only asks: a lock of ours, even for a moment, would refuse QEMU. */
static bool is_locked(int fd)
{
	struct flock lock = {.l_type = F_WRLCK, .l_start = 100, .l_len = 4};

	assert_int_equal(fcntl(fd, F_OFD_GETLK, &lock), 0);
	return lock.l_type != F_UNLCK;
}

static void we_are_refused_while_qemu_has_the_image(void **state)
{
	const char *argv[] = {"qemu-io",     "-f",  "raw", "-c",
			      "sleep 10000", image, NULL};
	_cleanup_run_ struct run run = {.stderr_fd = -1};
	_cleanup_close_ int fd = open_image();
	struct err err = {0};

	assert_int_equal(qemu_io("read 0 4k", NULL), 0);
	assert_int_equal(run_start(argv, -1, &run, NULL), 0);
	for (int i = 0; i < 500 && !is_locked(fd); i++)
		usleep(20000);
	assert_int_equal(image_lock(fd, image, &err), -EBUSY);
	assert_non_null(strstr(err.text, image));
}

static void two_of_ours_refuse_each_other(void **state)
{
	_cleanup_close_ int first = open_image(), second = open_image();

	assert_int_equal(image_lock(first, image, NULL), 0);
	assert_int_equal(image_lock(second, image, NULL), -EBUSY);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(qemu_is_refused_while_we_have_the_image),
		cmocka_unit_test(the_lock_lasts_as_long_as_the_description),
		cmocka_unit_test(we_are_refused_while_qemu_has_the_image),
		cmocka_unit_test(two_of_ours_refuse_each_other),
	};

	return cmocka_run_group_tests(tests, make_image, remove_image);
}
