/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A key that is not known is an error: it would be a setting that somebody
 * relies on and that has no effect.
 */
#include "base/config.h"

#include <ini.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/err.h"

struct search {
	const char *domain_name, *domain_uuid, *target;
	char *device;
	bool no_memory;
};

/* Whether @key, "DOMAIN/TARGET", is the disk that is looked for. */
static bool is_wanted(const struct search *search, const char *key,
		      const char *slash)
{
	size_t length = slash - key;
	const char *const names[] = {search->domain_name, search->domain_uuid};

	if (strcmp(slash + 1, search->target) != 0)
		return false;
	for (size_t i = 0; i < 2; i++)
		if (names[i] && strlen(names[i]) == length &&
		    strncmp(key, names[i], length) == 0)
			return true;
	return false;
}

/* For inih: 0 is an error in this line. */
static int take_line(void *opaque, const char *section, const char *key,
		     const char *value)
{
	struct search *search = opaque;
	const char *slash = strrchr(key, '/');

	if (strcmp(section, "metadata") != 0 || !slash || slash == key ||
	    !slash[1] || value[0] != '/')
		return 0;
	if (!is_wanted(search, key, slash))
		return 1;
	free(search->device);
	search->device = strdup(value);
	search->no_memory |= !search->device;
	return 1;
}

int config_metadata(const char *path, const char *domain_name,
		    const char *domain_uuid, const char *target,
		    char **ret_device, struct err *err)
{
	struct search search = {domain_name, domain_uuid, target, NULL, false};
	_cleanup_fclose_ FILE *file = fopen(path, "re");
	int line;

	*ret_device = NULL;
	if (!file)
		return errno == ENOENT ? 0
				       : fail_errno(err, -errno, "%s", path);
	line = ini_parse_file(file, take_line, &search);
	*ret_device = search.device;
	if (line == 0 && !search.no_memory)
		return 0;
	free(TAKE_PTR(*ret_device));
	if (line <= 0)
		return fail(err, -ENOMEM, "%s: out of memory", path);
	return fail(err, -EINVAL,
		    "%s, line %d: not understood; see dsync-vm.conf(5)", path,
		    line);
}
