/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * {"format": 1, "blocks": [{"first": 10, "count": 2}]}.  A list as long as
 * this gets is short: a disk that is damaged in more places than can be listed
 * is damaged from the first of them to its end.
 */
#include "repo/damage.h"

#include <string.h>

#include "base/err.h"
#include "base/io.h"
#include "repo/domain.h"
#include "repo/json.h"

#define FORMAT 1
#define MAX_RANGES 65536
#define MAX_BYTES (8u << 20)
#define MAX_BLOCK (UINT64_C(1) << 52)

char *damage_path(const struct repo_domain *domain, const char *target,
		  const char *point)
{
	return io_format("%s/disks/%s/%s.damaged", domain->path, target, point);
}

void damage_clear(struct damage *damage)
{
	free(damage->ranges);
	*damage = (struct damage){0};
}

static uint64_t end_of(const struct damage_range *range)
{
	return range->first + range->count;
}

/* The first range that ends behind @block. */
static size_t find(const struct damage *damage, uint64_t block)
{
	size_t low = 0, high = damage->nr_ranges;

	while (low < high) {
		size_t middle = (low + high) / 2;

		if (end_of(&damage->ranges[middle]) <= block)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

bool damage_has(const struct damage *damage, uint64_t block)
{
	size_t i = find(damage, block);

	return i < damage->nr_ranges && damage->ranges[i].first <= block;
}

/* Makes room for a range before number @i. */
static int insert(struct damage *damage, size_t i, uint64_t first,
		  uint64_t count)
{
	struct damage_range *bigger = reallocarray(
		damage->ranges, damage->nr_ranges + 1, sizeof(*bigger));

	if (!bigger)
		return -ENOMEM;
	memmove(bigger + i + 1, bigger + i,
		(damage->nr_ranges - i) * sizeof(*bigger));
	bigger[i] = (struct damage_range){.first = first, .count = count};
	damage->ranges = bigger;
	damage->nr_ranges++;
	return 0;
}

static void drop(struct damage *damage, size_t i)
{
	damage->nr_ranges--;
	memmove(damage->ranges + i, damage->ranges + i + 1,
		(damage->nr_ranges - i) * sizeof(*damage->ranges));
}

/* There is no room for more ranges: the rest of the disk is one. */
static int add_all_from(struct damage *damage, size_t i, uint64_t first)
{
	struct damage_range *last;

	damage->nr_ranges = i < MAX_RANGES ? i + 1 : MAX_RANGES;
	last = &damage->ranges[damage->nr_ranges - 1];
	last->first = last->first < first ? last->first : first;
	last->count = MAX_BLOCK - last->first;
	return 0;
}

int damage_add(struct damage *damage, uint64_t first, uint64_t count)
{
	/* From the first range that touches the new one... */
	size_t i = first ? find(damage, first - 1) : 0;
	struct damage_range *at = damage->ranges + i;

	if (i == damage->nr_ranges || at->first > first + count) {
		if (damage->nr_ranges < MAX_RANGES)
			return insert(damage, i, first, count);
		return add_all_from(damage, i, first);
	}
	/* ...to the last one, all of them become one. */
	count = (end_of(at) > first + count ? end_of(at) : first + count);
	at->first = at->first < first ? at->first : first;
	at->count = count - at->first;
	while (i + 1 < damage->nr_ranges && at[1].first <= end_of(at)) {
		if (end_of(&at[1]) > end_of(at))
			at->count = end_of(&at[1]) - at->first;
		drop(damage, i + 1);
	}
	return 0;
}

int damage_remove(struct damage *damage, uint64_t block)
{
	size_t i = find(damage, block);
	struct damage_range *range = damage->ranges + i;
	uint64_t behind;

	if (i == damage->nr_ranges || range->first > block)
		return 0;
	behind = end_of(range) - block - 1;
	range->count = block - range->first;
	if (range->count == 0 && behind == 0) {
		drop(damage, i);
		return 0;
	}
	if (range->count == 0) {
		*range = (struct damage_range){block + 1, behind};
		return 0;
	}
	return behind ? insert(damage, i + 1, block + 1, behind) : 0;
}

/* ---------------------------------------------------------------- the file */

static int parse_range(const struct json_object *from, struct damage *damage,
		       struct err *err)
{
	uint64_t first = 0, count = 0, end = 0;
	int r = json_get_uint(from, "first", MAX_BLOCK, &first, err);

	if (r == 0)
		r = json_get_uint(from, "count", MAX_BLOCK - first, &count,
				  err);
	if (r < 0)
		return r;
	if (damage->nr_ranges)
		end = damage->ranges[damage->nr_ranges - 1].first +
		      damage->ranges[damage->nr_ranges - 1].count;
	if (count == 0 || first < end)
		return fail(err, -EBADMSG, "\"blocks\" are not in order");
	return insert(damage, damage->nr_ranges, first, count);
}

static int parse(const char *text, size_t size_bytes, struct damage *damage,
		 struct err *err)
{
	_cleanup_json_ struct json_object *object = NULL;
	const struct json_object *list, *item;
	uint64_t format;
	size_t count;
	int r = json_parse(text, size_bytes, &object, err);

	if (r == 0)
		r = json_get_uint(object, "format", FORMAT, &format, err);
	if (r == 0)
		r = json_get_array(object, "blocks", MAX_RANGES, &list, &count,
				   err);
	for (size_t i = 0; r == 0 && i < count; i++) {
		r = json_get_item(list, i, &item, err);
		if (r == 0)
			r = parse_range(item, damage, err);
	}
	return r;
}

int damage_load(const struct repo_domain *domain, const char *target,
		const char *point, struct damage *ret_damage, struct err *err)
{
	_cleanup_free_ char *path = damage_path(domain, target, point);
	_cleanup_free_ char *text = NULL;
	_cleanup_damage_ struct damage damage = {0};
	struct err why = {0};
	size_t size_bytes;
	int r;

	*ret_damage = (struct damage){0};
	if (!path)
		return fail(err, -ENOMEM, "out of memory");
	r = io_read_regular(path, MAX_BYTES, &text, &size_bytes, &why);
	if (r == -ENOENT)
		return 0;
	if (r < 0 && r != -EFBIG)
		return fail(err, r, "%s", why.text);
	if (r == -EFBIG || parse(text, size_bytes, &damage, &why) < 0) {
		damage_clear(&damage);
		if (insert(&damage, 0, 0, MAX_BLOCK) < 0)
			return fail(err, -ENOMEM, "out of memory");
	}
	*ret_damage = damage;
	damage = (struct damage){0};
	return 0;
}

static char *text_of(const struct damage *damage)
{
	_cleanup_json_ struct json_object *object = json_new();
	struct json_object *list;

	json_add_uint(object, "format", FORMAT);
	list = json_add_array(object, "blocks");
	for (size_t i = 0; i < damage->nr_ranges; i++) {
		struct json_object *item = json_append_object(list);

		json_add_uint(item, "first", damage->ranges[i].first);
		json_add_uint(item, "count", damage->ranges[i].count);
	}
	return object ? json_text(object) : NULL;
}

int damage_store(const struct repo_domain *domain, const char *target,
		 const char *point, const struct damage *damage,
		 struct err *err)
{
	_cleanup_free_ char *path = damage_path(domain, target, point);
	_cleanup_free_ char *text = text_of(damage);

	if (!path || !text)
		return fail(err, -ENOMEM, "out of memory");
	if (damage->nr_ranges)
		return io_replace_file(path, text, strlen(text), 0600, err);
	if (unlink(path) < 0 && errno != ENOENT)
		return fail_errno(err, -errno, "%s", path);
	return 0;
}

int damage_inherit(const struct repo_domain *domain, const char *target,
		   const char *point, const char *from, struct err *err)
{
	_cleanup_damage_ struct damage damage = {0}, more = {0};
	int r = damage_load(domain, target, from, &more, err);

	if (r < 0 || more.nr_ranges == 0)
		return r;
	r = damage_load(domain, target, point, &damage, err);
	for (size_t i = 0; r == 0 && i < more.nr_ranges; i++)
		if (damage_add(&damage, more.ranges[i].first,
			       more.ranges[i].count) < 0)
			r = fail(err, -ENOMEM, "out of memory");
	return r < 0 ? r : damage_store(domain, target, point, &damage, err);
}
