/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * readdir is read to its end before anything is acted on: removing entries
 * while reading may skip others.
 */
#include "repo/listing.h"

#include <dirent.h>
#include <string.h>

#include "base/err.h"
#include "base/io.h"
#include "repo/domain.h"
#include "repo/point.h"

void strings_free(char **strings)
{
	for (char **p = strings; p && *p; p++)
		free(*p);
	free(strings);
}

int strings_append(char ***strings, size_t *count, const char *text)
{
	char **bigger = reallocarray(*strings, *count + 2, sizeof(*bigger));

	if (!bigger)
		return -ENOMEM;
	*strings = bigger;
	bigger[*count] = strdup(text);
	if (!bigger[*count])
		return -ENOMEM;
	bigger[++*count] = NULL;
	return 0;
}

static int by_name(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static int read_names(DIR *dir, const char *suffix, char ***names,
		      size_t *count)
{
	struct dirent *entry;

	errno = 0;
	while ((entry = readdir(dir))) {
		size_t length = strlen(entry->d_name), cut = strlen(suffix);
		char name[sizeof(entry->d_name)];

		if (strcmp(entry->d_name, ".") == 0 ||
		    strcmp(entry->d_name, "..") == 0 || length <= cut ||
		    strcmp(entry->d_name + length - cut, suffix) != 0)
			continue;
		memcpy(name, entry->d_name, length - cut);
		name[length - cut] = '\0';
		if (strings_append(names, count, name) < 0)
			return -ENOMEM;
		errno = 0;
	}
	return -errno;
}

int listing_read(const char *path, const char *suffix, char ***ret_names,
		 size_t *ret_count, struct err *err)
{
	_cleanup_closedir_ DIR *dir = opendir(path);
	_cleanup_strings_ char **names = calloc(1, sizeof(*names));
	size_t count = 0;
	int r = 0;

	if (!names)
		return fail(err, -ENOMEM, "out of memory");
	if (!dir && errno != ENOENT)
		return fail_errno(err, -errno, "%s", path);
	if (dir)
		r = read_names(dir, suffix, &names, &count);
	if (r < 0)
		return fail_errno(err, r, "%s", path);
	if (count)
		qsort(names, count, sizeof(*names), by_name);
	*ret_names = TAKE_PTR(names);
	*ret_count = count;
	return 0;
}

int listing_points(const struct repo_domain *domain, const char *suffix,
		   char ***ret_points, size_t *ret_count, struct err *err)
{
	_cleanup_free_ char *path = io_format("%s/points", domain->path);
	_cleanup_strings_ char **names = NULL;
	size_t count, kept = 0;
	int r;

	if (!path)
		return fail(err, -ENOMEM, "out of memory");
	r = listing_read(path, suffix, &names, &count, err);
	if (r < 0)
		return r;
	for (size_t i = 0; i < count; i++) {
		char *name = TAKE_PTR(names[i]);

		if (point_valid(name))
			names[kept++] = name;
		else
			free(name);
	}
	*ret_points = TAKE_PTR(names);
	*ret_count = kept;
	return 0;
}
