/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A key that is not known is an error, and so is a target that nobody
 * described: it would be a setting that somebody relies on and that has no
 * effect.  For the same reason a line is looked at even if it is about another
 * domain.
 *
 * The file is read twice: first what holds for all domains, then what the
 * first [domain] that matches says otherwise, wherever it stands.
 */
#include "base/config.h"

#include <ctype.h>
#include <fnmatch.h>
#include <ini.h>
#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "base/quantity.h"

#define SECTION_MAX 48 /* inih cuts what is longer, and does not say so */

struct search {
	const char *domain_name, *domain_uuid, *target;
	struct config *config;
	struct config others; /* takes what is about other domains */
	bool own;             /* second reading: only the domain's own */
	char *section;        /* the first one that matches, own only */
	bool rules_given;     /* which take the place of the former ones */
	char **used;          /* names of targets that must be there */
	size_t nr_used;
	bool no_memory;
};

/* ------------------------------------------------------------- the result */

static void clear_targets(struct config *config)
{
	for (size_t i = 0; i < config->nr_targets; i++) {
		free(config->targets[i].name);
		free(config->targets[i].location);
	}
	free(TAKE_PTR(config->targets));
	config->nr_targets = 0;
}

void config_clear(struct config *config)
{
	free(TAKE_PTR(config->metadata));
	free(TAKE_PTR(config->hold));
	free(TAKE_PTR(config->target));
	clear_targets(config);
}

static struct config_target *find_target(const struct config *config,
					 const char *name)
{
	for (size_t i = 0; i < config->nr_targets; i++)
		if (strcmp(config->targets[i].name, name) == 0)
			return &config->targets[i];
	return NULL;
}

const struct config_target *config_target(const struct config *config,
					  const char *name)
{
	return find_target(config, name);
}

/* A directory is known by its path without symlinks once it has points. */
static bool is_at(const struct config_target *target, const char *location)
{
	_cleanup_free_ char *resolved = NULL;

	if (!target->location)
		return false;
	if (strcmp(target->location, location) == 0)
		return true;
	if (target->location[0] != '/')
		return false;
	resolved = realpath(target->location, NULL);
	return resolved && strcmp(resolved, location) == 0;
}

const struct config_target *config_target_at(const struct config *config,
					     const char *location)
{
	for (size_t i = 0; i < config->nr_targets; i++)
		if (is_at(&config->targets[i], location))
			return &config->targets[i];
	return NULL;
}

bool config_freeze_parse(const char *text, enum config_freeze *ret_freeze)
{
	static const char *const words[] = {
		[CONFIG_FREEZE_NO] = "no",
		[CONFIG_FREEZE_YES] = "yes",
		[CONFIG_FREEZE_REQUIRE] = "require",
	};

	for (size_t i = 0; i < sizeof(words) / sizeof(*words); i++)
		if (strcmp(text, words[i]) == 0) {
			*ret_freeze = i;
			return true;
		}
	return false;
}

/* ------------------------------------------------------------------ values */

static bool take_string(struct search *search, const char *value, char **place)
{
	free(*place);
	*place = strdup(value);
	search->no_memory |= !*place;
	return true;
}

/* Whether @key, "DOMAIN/TARGET", is the disk that is looked for. */
static bool is_wanted(const struct search *search, const char *key,
		      const char *slash)
{
	size_t length = slash - key;
	const char *const names[] = {search->domain_name, search->domain_uuid};

	if (!search->target || strcmp(slash + 1, search->target) != 0)
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
	return is_wanted(search, key, slash)
		       ? take_string(search, value, device)
		       : true;
}

/* RULE = NUMBER, or all = yes */
static bool take_keep(struct search *search, struct config *to, const char *key,
		      const char *value)
{
	if (!search->rules_given && to == search->config) {
		to->keep = (struct keep){0};
		search->rules_given = true;
	}
	if (strcmp(key, "all") == 0)
		return strcmp(value, "yes") == 0;
	for (int rule = 0; rule < KEEP_NR_RULES; rule++)
		if (strcmp(key, keep_name(rule)) == 0)
			return keep_parse(value, &to->keep.count[rule]) == 0;
	return false;
}

static bool take_age(const char *key, const char *value, uint64_t *warning_s,
		     uint64_t *critical_s)
{
	if (strcmp(key, "warning") == 0)
		return quantity_seconds(value, warning_s);
	if (strcmp(key, "critical") == 0)
		return quantity_seconds(value, critical_s);
	return false;
}

static bool use_target(struct search *search, const char *name,
		       struct config *to)
{
	char **used =
		reallocarray(search->used, search->nr_used + 1, sizeof(*used));
	char *copy = strdup(name);

	search->no_memory |= !used || !copy;
	if (used)
		search->used = used;
	if (search->no_memory) {
		free(copy);
		return true;
	}
	search->used[search->nr_used++] = copy;
	return take_string(search, name, &to->target);
}

static bool take_backup(struct search *search, struct config *to,
			const char *key, const char *value)
{
	if (strcmp(key, "target") == 0)
		return use_target(search, value, to);
	if (strcmp(key, "freeze") == 0)
		return config_freeze_parse(value, &to->freeze);
	if (strcmp(key, "freeze-timeout") == 0)
		return quantity_number(value, 1, CONFIG_FREEZE_TIMEOUT_MAX_S,
				       &to->freeze_timeout_s);
	if (strcmp(key, "turn") == 0)
		return quantity_seconds(value, &to->turn_s);
	return false;
}

/* ---------------------------------------------------------------- sections */

static bool name_valid(const char *name)
{
	if (!isalnum((unsigned char)*name))
		return false;
	for (; *name; name++)
		if (!isalnum((unsigned char)*name) && !strchr("._-", *name))
			return false;
	return true;
}

static struct config_target *add_target(struct search *search, const char *name)
{
	struct config *config = search->config;
	struct config_target *targets = reallocarray(
		config->targets, config->nr_targets + 1, sizeof(*targets));
	struct config_target *target;

	search->no_memory |= !targets;
	if (!targets)
		return NULL;
	config->targets = targets;
	target = &targets[config->nr_targets++];
	*target = (struct config_target){0};
	take_string(search, name, &target->name);
	return search->no_memory ? NULL : target;
}

/* [target NAME] */
static bool take_target(struct search *search, const char *name,
			const char *key, const char *value)
{
	struct config_target *target = find_target(search->config, name);

	if (!name_valid(name))
		return false;
	if (!target)
		target = add_target(search, name);
	if (!target)
		return true;
	if (strcmp(key, "bwlimit") == 0)
		return quantity_bytes(value, &target->bwlimit_bytes);
	if (strcmp(key, "location") != 0)
		return take_age(key, value, &target->warning_s,
				&target->critical_s);
	/* What is taken from the current directory would be anywhere. */
	if (target->location || (value[0] != '/' && !strstr(value, "://")))
		return false;
	return take_string(search, value, &target->location);
}

static bool is_own(struct search *search, const char *section, const char *glob)
{
	if (!search->own || !search->domain_name)
		return false;
	if (!search->section && fnmatch(glob, search->domain_name, 0) == 0)
		take_string(search, section, &search->section);
	return search->section && strcmp(search->section, section) == 0;
}

/* [domain GLOB] */
static bool take_domain(struct search *search, const char *section,
			const char *glob, const char *key, const char *value)
{
	struct config *to = is_own(search, section, glob) ? search->config
							  : &search->others;

	if (!*glob)
		return false;
	search->config->by_name = true;
	if (strncmp(key, "keep-", 5) == 0)
		return take_keep(search, to, key + 5, value);
	return take_backup(search, to, key, value);
}

/* "target nas" is nas, if @kind is target; NULL: it is of another kind. */
static const char *name_of(const char *section, const char *kind)
{
	size_t length = strlen(kind);

	if (strncmp(section, kind, length) != 0 || section[length] != ' ')
		return NULL;
	return section + length + strspn(section + length, " ");
}

static bool take_general(struct search *search, const char *section,
			 const char *key, const char *value)
{
	struct config *config = search->config;
	const char *name = name_of(section, "target");

	if (name)
		return take_target(search, name, key, value);
	if (strcmp(section, "backup") == 0)
		return take_backup(search, config, key, value);
	if (strcmp(section, "keep") == 0)
		return take_keep(search, config, key, value);
	if (strcmp(section, "check") == 0)
		return take_age(key, value, &config->warning_s,
				&config->critical_s);
	if (strcmp(section, "metadata") == 0)
		return take_device(search, key, value, &config->metadata);
	if (strcmp(section, "hold") != 0)
		return false;
	if (strcmp(key, "limit") == 0)
		return quantity_bytes(value, &config->hold_limit_bytes) &&
		       config->hold_limit_bytes >= CONFIG_HOLD_MIN_BYTES;
	return take_device(search, key, value, &config->hold);
}

/* For inih: 0 is an error in this line. */
static int take_line(void *opaque, const char *section, const char *key,
		     const char *value)
{
	struct search *search = opaque;
	const char *glob = name_of(section, "domain");

	if (strlen(section) > SECTION_MAX)
		return false;
	if (glob)
		return take_domain(search, section, glob, key, value);
	return search->own || take_general(search, section, key, value);
}

/* ----------------------------------------------------------------- reading */

/* With what it says: who edits the file need not count. */
static int fail_line(const char *path, FILE *file, int number, struct err *err)
{
	_cleanup_free_ char *line = NULL;
	size_t room = 0;

	rewind(file);
	for (int i = 0; i < number; i++)
		if (getline(&line, &room, file) < 0)
			break;
	if (line)
		line[strcspn(line, "\n")] = '\0';
	return fail(err, -EINVAL,
		    "%s, line %d: '%s' is not understood; see "
		    "dsync-vm.conf(5)",
		    path, number, line ? line : "");
}

static int check_targets(const char *path, const struct search *search,
			 struct err *err)
{
	const struct config *config = search->config;

	for (size_t i = 0; i < config->nr_targets; i++)
		if (!config->targets[i].location)
			return fail(err, -EINVAL,
				    "%s: [target %s] has no location", path,
				    config->targets[i].name);
	for (size_t i = 0; i < search->nr_used; i++)
		if (!config_target(config, search->used[i]))
			return fail(err, -EINVAL,
				    "%s: target = %s: there is no [target %s]",
				    path, search->used[i], search->used[i]);
	return 0;
}

static int read_file(const char *path, FILE *file, struct search *search,
		     struct err *err)
{
	int line = ini_parse_file(file, take_line, search);

	if (line == 0) {
		rewind(file);
		search->own = true;
		search->rules_given = false;
		line = ini_parse_file(file, take_line, search);
	}
	if (line < 0 || search->no_memory)
		return fail(err, -ENOMEM, "%s: out of memory", path);
	if (line > 0)
		return fail_line(path, file, line, err);
	return check_targets(path, search, err);
}

static void clear_search(struct search *search)
{
	for (size_t i = 0; i < search->nr_used; i++)
		free(search->used[i]);
	free(search->used);
	free(search->section);
	config_clear(&search->others);
}

int config_read(const char *path, const char *domain_name,
		const char *domain_uuid, const char *target,
		struct config *ret_config, struct err *err)
{
	_cleanup_(clear_search) struct search search = {
		.domain_name = domain_name,
		.domain_uuid = domain_uuid,
		.target = target,
		.config = ret_config};
	_cleanup_fclose_ FILE *file = fopen(path, "re");
	int r;

	*ret_config = (struct config){
		.hold_limit_bytes = CONFIG_HOLD_LIMIT_BYTES,
		.keep = keep_default(),
		.freeze = CONFIG_FREEZE_YES,
		.freeze_timeout_s = CONFIG_FREEZE_TIMEOUT_S,
		.turn_s = CONFIG_TURN_S,
		.warning_s = CONFIG_WARNING_S,
		.critical_s = CONFIG_CRITICAL_S,
	};
	if (!file)
		return errno == ENOENT ? 0
				       : fail_errno(err, -errno, "%s", path);
	r = read_file(path, file, &search, err);
	if (r < 0)
		config_clear(ret_config);
	return r;
}
