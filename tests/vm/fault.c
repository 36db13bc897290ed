// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Makes memory run out in those system calls of a program that concern the
 * module, and in no others.
 *
 *	FAULT=N FAULT_HIT=FILE LD_PRELOAD=fault.so PROGRAM [ARG]...
 *
 * N is a number: the Nth allocation of all these calls fails, and FILE is
 * made if there were as many. N is "all": every one may fail, as the settings
 * of the kernel's failslab say, which are then to be limited to tasks that
 * ask for it.
 *
 * Starting a program takes a thousand allocations that are not ours to test.
 * So the kernel's per-task switches (Documentation/fault-injection) are only
 * on while a call is under way that is one of: device mapper's ioctls; what
 * is done with a mapped device or a file below /proc/dsync; loading a module.
 *
 * All memory is locked, as the kernel repeats a page fault that cannot be
 * served, forever if need be.
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/dm-ioctl.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

static unsigned long left; /* allocations until the one that fails */
static bool all;
static int control = -1; /* the switch of this task */

static void set_switch(unsigned long value)
{
	char text[24];
	int length = snprintf(text, sizeof(text), "%lu", value);

	if (pwrite(control, text, length, 0) != length)
		abort();
}

static unsigned long get_switch(void)
{
	char text[24] = "";

	if (pread(control, text, sizeof(text) - 1, 0) <= 0)
		abort();
	return strtoul(text, NULL, 10);
}

__attribute__((constructor)) static void set_up(void)
{
	const char *fault = getenv("FAULT");

	if (!fault)
		return;
	all = !strcmp(fault, "all");
	left = all ? 0 : strtoul(fault, NULL, 10);
	if (mlockall(MCL_CURRENT | MCL_FUTURE))
		abort();
	control = open(all ? "/proc/thread-self/make-it-fail"
			   : "/proc/thread-self/fail-nth",
		       O_RDWR | O_CLOEXEC);
	if (control < 0)
		abort();
}

/* Whether the switch was turned on, and must be turned off. */
static bool begin(bool ours)
{
	if (!ours || (!all && !left))
		return false;
	set_switch(all ? 1 : left);
	return true;
}

static void end(bool begun)
{
	int saved = errno;

	if (!begun)
		return;
	if (!all) {
		left = get_switch();
		if (!left)
			close(creat(getenv("FAULT_HIT"), 0644));
	}
	set_switch(0);
	errno = saved;
}

static bool is_our_path(const char *path)
{
	if (!strcmp(path, "/dev/mapper/control"))
		return false;
	return !strncmp(path, "/proc/dsync/", 12) ||
	       !strncmp(path, "/dev/mapper/", 12) ||
	       !strncmp(path, "/dev/dm-", 8);
}

static bool is_our_fd(int fd)
{
	char link[32], path[256] = "";

	if (control < 0)
		return false;
	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	return readlink(link, path, sizeof(path) - 1) > 0 && is_our_path(path);
}

/*-----------------------------------------------------------------*/

/* CALL(result, condition, call): the real call, with the switch on. */
#define CALL(type, condition, call)             \
	({                                      \
		bool _begun = begin(condition); \
		type _r = call;                 \
		end(_begun);                    \
		_r;                             \
	})
#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

int ioctl(int fd, unsigned long request, ...)
{
	va_list ap;
	void *arg;

	va_start(ap, request);
	arg = va_arg(ap, void *);
	va_end(ap);
	return CALL(int, _IOC_TYPE(request) == DM_IOCTL || is_our_fd(fd),
		    REAL(ioctl)(fd, request, arg));
}

ssize_t read(int fd, void *buf, size_t count)
{
	return CALL(ssize_t, is_our_fd(fd), REAL(read)(fd, buf, count));
}

ssize_t write(int fd, const void *buf, size_t count)
{
	return CALL(ssize_t, is_our_fd(fd), REAL(write)(fd, buf, count));
}

int fallocate(int fd, int mode, off_t offset, off_t length)
{
	return CALL(int, is_our_fd(fd),
		    REAL(fallocate)(fd, mode, offset, length));
}

int open(const char *path, int flags, ...)
{
	va_list ap;
	mode_t mode;

	va_start(ap, flags);
	mode = va_arg(ap, mode_t);
	va_end(ap);
	return CALL(int, is_our_path(path), REAL(open)(path, flags, mode));
}

int open64(const char *path, int flags, ...)
{
	va_list ap;
	mode_t mode;

	va_start(ap, flags);
	mode = va_arg(ap, mode_t);
	va_end(ap);
	return CALL(int, is_our_path(path), REAL(open64)(path, flags, mode));
}

/* libkmod loads modules by this. */
long syscall(long number, ...)
{
	long arg[6];
	va_list ap;
	int i;

	va_start(ap, number);
	for (i = 0; i < 6; i++)
		arg[i] = va_arg(ap, long);
	va_end(ap);
	return CALL(long, number == SYS_finit_module,
		    REAL(syscall)(number, arg[0], arg[1], arg[2], arg[3],
				  arg[4], arg[5]));
}
