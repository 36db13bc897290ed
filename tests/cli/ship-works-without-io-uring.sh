#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# Where the host forbids io_uring or refuses O_DIRECT, at the opening or only
# at the first read, shipping works all the same.
. "$(dirname "$0")/lib.sh"

requires cc --version
cc -shared -fPIC -o no-ring.so -x c - <<'END'
#include <errno.h>
int io_uring_queue_init(unsigned entries, void *ring, unsigned flags);
int io_uring_queue_init(unsigned entries, void *ring, unsigned flags)
{
	return -EPERM;
}
END
cc -shared -fPIC -D_GNU_SOURCE -o no-direct.so -x c - -ldl <<'END'
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
static int deny(const char *name, const char *path, int flags, int mode)
{
	int (*next)(const char *, int, ...) = dlsym(RTLD_NEXT, name);

	if (flags & O_DIRECT) {
		errno = EINVAL;
		return -1;
	}
	return next(path, flags, mode);
}
int open(const char *path, int flags, ...)
{
	return deny("open", path, flags, 0600);
}
int open64(const char *path, int flags, ...)
{
	return deny("open64", path, flags, 0600);
}
END
cc -shared -fPIC -D_GNU_SOURCE -o late.so -x c - -ldl <<'END'
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>
ssize_t pread64(int fd, void *buffer, size_t size, off64_t offset)
{
	ssize_t (*next)(int, void *, size_t, off64_t) =
		dlsym(RTLD_NEXT, "pread64");

	if (fcntl(fd, F_GETFL) & O_DIRECT) {
		errno = EINVAL;
		return -1;
	}
	/* Short, as a read may be. */
	return next(fd, buffer, size > 40000 ? 36864 : size, offset);
}
END

random_file new 5243392
truncate -s 5243392 dest
serve dest
for libraries in no-ring.so no-direct.so "no-ring.so no-direct.so" \
	"no-ring.so late.so"; do
	# shellcheck disable=SC2086 # a list
	set -- $libraries
	preload=
	for library in "$@"; do preload="$preload $work/$library"; done
	ship new "$uri"
	qemu-io -f raw -c 'write -P 7 0 5M' "$uri" >/dev/null
	expect 0 env LD_PRELOAD="${preload# }" \
		ASAN_OPTIONS=verify_asan_link_order=0 \
		"$DSYNC_VM" ship new "$uri"
	cmp new dest || failed "$libraries"
done
