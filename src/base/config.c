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

#include "base/err.h"

struct search {
	const char *domain_name, *domain_uuid, *target;
	struct config *config;
	bool no_memory;
};

void config_clear(struct config *config)
{
	free(TAKE_PTR(config->metadata));
	free(TAKE_PTR(config->hold));
}

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

/* DOMAIN/TARGET = DEVICE */
static bool take_device(struct search *search, const char *key,
			const char *value, char **device)
{
	const char *slash = strrchr(key, '/');

	if (!slash || slash == key || !slash[1] || value[0] != '/')
		return false;
	if (!is_wanted(search, key, slash))
		return true;
	free(*device);
	*device = strdup(value);
	search->no_memory |= !*device;
	return true;
}

/* A number of bytes, or of what K, M, G or T stands for. */
static bool take_size(const char *value, uint64_t *ret_bytes)
{
	static const char units[] = "KMGT";
	unsigned long long number;
	unsigned int shift = 0;
	const char *unit;
	char *end;

	errno = 0;
	number = strtoull(value, &end, 10);
	if (errno || end == value || value[0] < '0' || value[0] > '9')
		return false;
	unit = *end ? strchr(units, *end) : NULL;
	if (unit) {
		shift = 10 * (unit - units + 1);
		end++;
	}
	if (*end || number == 0 || number > UINT64_MAX >> shift >> 1)
		return false;
	*ret_bytes = (uint64_t)number << shift;
	return true;
}

/* For inih: 0 is an error in this line. */
static int take_line(void *opaque, const char *section, const char *key,
		     const char *value)
{
	struct search *search = opaque;
	struct config *config = search->config;

	if (strcmp(section, "metadata") == 0)
		return take_device(search, key, value, &config->metadata);
	if (strcmp(section, "hold") != 0)
		return 0;
	if (strcmp(key, "limit") == 0)
		return take_size(value, &config->hold_limit_bytes) &&
		       config->hold_limit_bytes >= CONFIG_HOLD_MIN_BYTES;
	return take_device(search, key, value, &config->hold);
}

int config_read(const char *path, const char *domain_name,
		const char *domain_uuid, const char *target,
		struct config *ret_config, struct err *err)
{
	struct search search = {domain_name, domain_uuid, target, ret_config,
				false};
	_cleanup_fclose_ FILE *file = fopen(path, "re");
	int line;

	*ret_config =
		(struct config){.hold_limit_bytes = CONFIG_HOLD_LIMIT_BYTES};
	if (!file)
		return errno == ENOENT ? 0
				       : fail_errno(err, -errno, "%s", path);
	line = ini_parse_file(file, take_line, &search);
	if (line == 0 && !search.no_memory)
		return 0;
	config_clear(ret_config);
	if (line <= 0)
		return fail(err, -ENOMEM, "%s: out of memory", path);
	return fail(err, -EINVAL,
		    "%s, line %d: not understood; see dsync-vm.conf(5)", path,
		    line);
}
