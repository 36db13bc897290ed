/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Stands in front of what opens, makes, renames or removes a file by its name
 * (the linker's --wrap puts it there, see meson.build): whatever an input
 * says, the code under test stays in fuzz_dir().
 *
 * Three places are let through: the kernel's uuids, and what is recorded of a
 * domain, and who uses it, whose paths have nothing of the input in them but a
 * checked uuid.
 */
#include <dirent.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/types.h>

#include "base/name.h"
#include "fuzz.h"

static bool begins_with(const char *path, const char *directory)
{
	size_t length = strlen(directory);

	return strncmp(path, directory, length) == 0 &&
	       (path[length] == '/' || path[length] == '\0');
}

static void check(const char *path)
{
	if (!fuzz_is_running)
		return;
	promise(!strstr(path, "/../") && !strstr(path, "//"));
	promise(begins_with(path, fuzz_dir()) ||
		begins_with(path, PLACE_STATE) ||
		begins_with(path, PLACE_RUN) ||
		strcmp(path, "/proc/sys/kernel/random/uuid") == 0);
}

/* NOLINTBEGIN: the names are the linker's */
#define ONE_PATH(type, name, parameters, arguments) \
	type __real_##name parameters;              \
	type __wrap_##name parameters;              \
	type __wrap_##name parameters               \
	{                                           \
		check(path);                        \
		return __real_##name arguments;     \
	}                                           \
	struct swallow_semicolon

ONE_PATH(DIR *, opendir, (const char *path), (path));
ONE_PATH(FILE *, fopen64, (const char *path, const char *mode), (path, mode));
ONE_PATH(int, access, (const char *path, int mode), (path, mode));
ONE_PATH(int, unlink, (const char *path), (path));
ONE_PATH(int, mkdir, (const char *path, mode_t mode), (path, mode));
ONE_PATH(int, chmod, (const char *path, mode_t mode), (path, mode));

int __real_rename(const char *path, const char *to);
int __wrap_rename(const char *path, const char *to);
int __wrap_rename(const char *path, const char *to)
{
	check(path);
	check(to);
	return __real_rename(path, to);
}

int __real_open64(const char *path, int flags, ...);
int __wrap_open64(const char *path, int flags, ...);
int __wrap_open64(const char *path, int flags, ...)
{
	va_list ap;
	mode_t mode;

	check(path);
	va_start(ap, flags);
	mode = va_arg(ap, mode_t); /* not used unless it is there */
	va_end(ap);
	return __real_open64(path, flags, mode);
}
/* NOLINTEND */
