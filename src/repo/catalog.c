/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Points form a chain by `parent`.  A chain that was damaged is a forest: it
 * is walked from every root, each point once, so that neither a missing
 * parent nor a loop costs more than a line in `problems`.
 *
 * Time of creation is used only where the chain says nothing: between roots,
 * and between the children of one parent.
 */
#include "repo/catalog.h"

#include <stdarg.h>
#include <string.h>

#include "base/err.h"
#include "base/io.h"
#include "repo/domain.h"
#include "repo/manifest.h"
#include "repo/removal.h"

#define ATTEMPTS 3

void catalog_free(struct catalog *catalog)
{
	if (!catalog)
		return;
	for (size_t i = 0; i < catalog->nr_points; i++)
		manifest_free(catalog->points[i]);
	for (size_t i = 0; i < catalog->nr_hidden; i++)
		manifest_free(catalog->hidden[i]);
	free(catalog->points);
	free(catalog->hidden);
	strings_free(catalog->problems);
	free(catalog);
}

static int problem(struct catalog *catalog, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

static int problem(struct catalog *catalog, const char *format, ...)
{
	char line[sizeof(((struct err *)NULL)->text) + 64];
	va_list ap;

	va_start(ap, format);
	vsnprintf(line, sizeof(line), format, ap);
	va_end(ap);
	return strings_append(&catalog->problems, &catalog->nr_problems, line);
}

static const struct manifest *by_full_name(const struct catalog *catalog,
					   const char *point)
{
	for (size_t i = 0; i < catalog->nr_points; i++)
		if (strcmp(catalog->points[i]->point, point) == 0)
			return catalog->points[i];
	return NULL;
}

/* -------------------------------------------------------------- loading */

/* Domain XML and NVRAM are most of a manifest; a listing needs neither. */
static void lighten(struct manifest *manifest)
{
	free(TAKE_PTR(manifest->domain_xml));
	free(TAKE_PTR(manifest->nvram));
	manifest->nvram_bytes = 0;
}

static int load_point(const struct repo_domain *domain, const char *point,
		      struct catalog *catalog)
{
	_cleanup_manifest_ struct manifest *manifest = NULL;
	struct err why = {0};
	const struct manifest *first = catalog->nr_points ? catalog->points[0]
							  : NULL;
	int r = manifest_read(domain, point, &manifest, &why);

	if (r == -ENOMEM)
		return r;
	if (r == -ENOENT)
		return -EAGAIN; /* removed since the directory was read */
	if (r < 0) {
		catalog->nr_damaged++;
		return problem(catalog, "%s", why.text);
	}
	if (first && strcmp(first->domain_uuid, manifest->domain_uuid) != 0) {
		catalog->nr_damaged++;
		return problem(catalog, "%s belongs to another domain (%s)",
			       point, manifest->domain_name);
	}
	if (strcmp(manifest->repo_id, domain->repo_id) != 0 &&
	    problem(catalog, "%s was made in another repository (%s)", point,
		    manifest->repo_id) < 0)
		return -ENOMEM;
	lighten(manifest);
	catalog->points[catalog->nr_points++] = TAKE_PTR(manifest);
	return 0;
}

/* One that cannot be read is damage: what is over its images is not known. */
static int load_hidden(const struct repo_domain *domain,
		       struct catalog *catalog, struct err *err)
{
	_cleanup_strings_ char **points = NULL;
	size_t count;
	int r = removal_list(domain, &points, &count, err);

	if (r < 0 || count == 0)
		return r;
	catalog->hidden = calloc(count, sizeof(*catalog->hidden));
	if (!catalog->hidden)
		return fail(err, -ENOMEM, "out of memory");
	for (size_t i = 0; i < count; i++) {
		struct manifest **hidden = &catalog->hidden[catalog->nr_hidden];
		struct err why = {0};

		r = manifest_read_removed(domain, points[i], hidden, &why);
		if (r == -ENOMEM ||
		    (r < 0 && r != -ENOENT && problem(catalog, "%s", why.text)))
			return fail(err, -ENOMEM, "out of memory");
		catalog->nr_damaged += r < 0 && r != -ENOENT;
		if (r < 0)
			continue;
		lighten(*hidden);
		catalog->nr_hidden++;
	}
	removal_adapt(domain, catalog);
	return 0;
}

/* ------------------------------------------------------------- ordering */

static int by_creation(const void *a, const void *b)
{
	const struct manifest *first = *(struct manifest *const *)a;
	const struct manifest *second = *(struct manifest *const *)b;

	if (first->created != second->created)
		return first->created < second->created ? -1 : 1;
	return strcmp(first->point, second->point);
}

struct order {
	struct manifest **from; /* by creation; NULL: already placed */
	struct manifest **to;
	size_t count, placed;
};

static void place(struct order *order, size_t index)
{
	order->to[order->placed++] = TAKE_PTR(order->from[index]);
}

/* Places everything below the points placed since @next. */
static void place_descendants(struct order *order, size_t next)
{
	for (; next < order->placed; next++)
		for (size_t i = 0; i < order->count; i++)
			if (order->from[i] &&
			    strcmp(order->from[i]->parent,
				   order->to[next]->point) == 0)
				place(order, i);
}

/* A problem of the chain itself. */
#define broken(catalog, ...) \
	((catalog)->is_broken = true, problem(catalog, __VA_ARGS__))

static int place_roots(struct order *order, struct catalog *catalog)
{
	size_t nr_beginnings = 0;

	for (size_t i = 0; i < order->count; i++) {
		struct manifest *point = order->from[i];
		size_t next = order->placed;

		if (!point || by_full_name(catalog, point->parent))
			continue;
		if (!point->parent[0] && ++nr_beginnings > 1 &&
		    broken(catalog, "%s has no parent, but is not the first",
			   point->point) < 0)
			return -ENOMEM;
		if (point->parent[0] &&
		    broken(catalog, "%s: its parent %s is missing",
			   point->point, point->parent) < 0)
			return -ENOMEM;
		place(order, i);
		place_descendants(order, next);
	}
	return 0;
}

/* What no root leads to goes round in a circle. */
static int place_loops(struct order *order, struct catalog *catalog)
{
	for (size_t i = 0; i < order->count; i++) {
		size_t next = order->placed;

		if (!order->from[i])
			continue;
		if (broken(catalog, "%s is its own ancestor",
			   order->from[i]->point) < 0)
			return -ENOMEM;
		place(order, i);
		place_descendants(order, next);
	}
	return 0;
}

static int report_forks(struct catalog *catalog)
{
	for (size_t i = 0; i < catalog->nr_points; i++) {
		const char *point = catalog->points[i]->point;
		size_t nr_children = 0;

		for (size_t j = 0; j < catalog->nr_points; j++)
			if (strcmp(catalog->points[j]->parent, point) == 0)
				nr_children++;
		if (nr_children > 1 &&
		    broken(catalog, "%s is the parent of %zu points", point,
			   nr_children) < 0)
			return -ENOMEM;
	}
	return 0;
}

static int put_in_order(struct catalog *catalog)
{
	size_t count = catalog->nr_points;
	_cleanup_free_ struct manifest **from =
		calloc(count + 1, sizeof(*from));
	_cleanup_free_ struct manifest **to = calloc(count + 1, sizeof(*to));
	struct order order = {.from = from, .to = to, .count = count};
	int r;

	if (!from || !to)
		return -ENOMEM;
	qsort(catalog->points, count, sizeof(*to), by_creation);
	/* The catalog keeps what it owns until all of it has a place. */
	memcpy(from, catalog->points, count * sizeof(*from));
	r = place_roots(&order, catalog);
	if (r == 0)
		r = place_loops(&order, catalog);
	if (r == 0)
		memcpy(catalog->points, to, count * sizeof(*to));
	return r < 0 ? r : report_forks(catalog);
}

/* -EAGAIN: points are removed meanwhile. */
static int load_once(const struct repo_domain *domain,
		     struct catalog **ret_catalog, struct err *err)
{
	_cleanup_catalog_ struct catalog *catalog = calloc(1, sizeof(*catalog));
	_cleanup_strings_ char **points = NULL;
	size_t count;
	int r = listing_points(domain, ".json", &points, &count, err);

	if (r < 0)
		return r;
	if (catalog)
		catalog->points = calloc(count + 1, sizeof(*catalog->points));
	if (!catalog || !catalog->points)
		return fail(err, -ENOMEM, "out of memory");
	for (size_t i = 0; r == 0 && i < count; i++)
		r = load_point(domain, points[i], catalog);
	if (r == -EAGAIN)
		return r;
	if (r < 0)
		return fail_errno(err, r, "%s", domain->path);
	r = load_hidden(domain, catalog, err);
	if (r < 0)
		return r;
	r = put_in_order(catalog);
	if (r < 0)
		return fail_errno(err, r, "%s", domain->path);
	*ret_catalog = TAKE_PTR(catalog);
	return 0;
}

int catalog_load(const struct repo_domain *domain, struct catalog **ret_catalog,
		 struct err *err)
{
	for (int attempt = 0; attempt < ATTEMPTS; attempt++) {
		_cleanup_catalog_ struct catalog *catalog = NULL;
		int r = load_once(domain, &catalog, err);

		/* A parent may have gone between two looks as well. */
		if (r == -EAGAIN ||
		    (r == 0 && catalog->is_broken && attempt + 1 < ATTEMPTS))
			continue;
		if (r == 0)
			*ret_catalog = TAKE_PTR(catalog);
		return r;
	}
	return fail(err, -EBUSY, "%s: its points are being removed; try again",
		    domain->path);
}

/* ------------------------------------------------------------- asking it */

static bool has_child(const struct catalog *catalog, const char *point)
{
	for (size_t i = 0; i < catalog->nr_points; i++)
		if (strcmp(catalog->points[i]->parent, point) == 0)
			return true;
	return false;
}

const struct manifest *catalog_newest(const struct catalog *catalog)
{
	const struct manifest *newest = NULL;

	for (size_t i = 0; i < catalog->nr_points; i++) {
		const struct manifest *point = catalog->points[i];

		if (has_child(catalog, point->point))
			continue;
		if (!newest || by_creation(&newest, &point) < 0)
			newest = point;
	}
	return newest;
}

int catalog_find(const struct catalog *catalog, const char *name,
		 const struct manifest **ret_point, struct err *err)
{
	const struct manifest *found;

	if (strcmp(name, "latest") == 0)
		found = catalog_newest(catalog);
	else
		found = by_full_name(catalog, name);
	for (size_t i = 0; !found && *name && i < catalog->nr_points; i++)
		if (strncmp(catalog->points[i]->point, name, strlen(name)) == 0)
			found = catalog->points[i];
	if (!found)
		return fail(err, -ENOENT, "there is no point %s", name);
	for (size_t i = 0; i < catalog->nr_points; i++) {
		const struct manifest *other = catalog->points[i];

		if (other == found || strcmp(found->point, name) == 0 ||
		    strncmp(other->point, name, strlen(name)) != 0)
			continue;
		return fail(err, -EINVAL, "%s could be %s or %s", name,
			    found->point, other->point);
	}
	*ret_point = found;
	return 0;
}

const struct manifest *catalog_newest_with_disk(const struct catalog *catalog,
						const char *target)
{
	const struct manifest *point = catalog_newest(catalog);

	/* Bounded by the number of points: parents may go round in a circle. */
	for (size_t i = 0; point && i < catalog->nr_points; i++) {
		if (manifest_find_disk(point, target))
			return point;
		point = by_full_name(catalog, point->parent);
	}
	return NULL;
}

const struct manifest *catalog_hidden(const struct catalog *catalog,
				      const char *point)
{
	for (size_t i = 0; i < catalog->nr_hidden; i++)
		if (strcmp(catalog->hidden[i]->point, point) == 0)
			return catalog->hidden[i];
	return NULL;
}

int catalog_under(const struct catalog *catalog, const struct manifest *point,
		  const char *target, const struct manifest **ret_under,
		  struct err *err)
{
	const struct manifest_disk *disk = manifest_find_disk(point, target);
	const struct manifest *under = NULL;

	if (!disk)
		return fail(err, -ENOENT, "%s has no disk %s", point->point,
			    target);
	if (disk->backing[0]) {
		under = by_full_name(catalog, disk->backing);
		if (!under)
			under = catalog_hidden(catalog, disk->backing);
		if (!under || !manifest_find_disk(under, target))
			return fail(err, -EBADMSG,
				    "the disk %s of %s is read through %s, "
				    "which is missing",
				    target, point->point, disk->backing);
	}
	*ret_under = under;
	return 0;
}

int catalog_chain_depth(const struct catalog *catalog,
			const struct manifest *point, const char *target,
			size_t *ret_depth, struct err *err)
{
	size_t most = catalog->nr_points + catalog->nr_hidden;
	const struct manifest *at = point;
	size_t depth = 0;
	int r = 0;

	while (r == 0 && at) {
		if (depth++ > most)
			return fail(err, -EBADMSG,
				    "the disk %s of %s overlays itself", target,
				    point->point);
		r = catalog_under(catalog, at, target, &at, err);
	}
	if (r == 0)
		*ret_depth = depth;
	return r;
}

/* 1, or what stands behind its time. */
static unsigned long point_number(const char *point)
{
	const char *suffix = point + POINT_STAMP_LENGTH;

	return *suffix == '-' ? strtoul(suffix + 1, NULL, 10) : 1;
}

int catalog_new_point(const struct catalog *catalog, time_t now,
		      const char *after, char ret_point[POINT_SIZE],
		      struct err *err)
{
	char stamp[POINT_SIZE];
	unsigned long n = 1;

	point_stamp(now, stamp);
	if (strncmp(stamp, after, POINT_STAMP_LENGTH) == 0)
		n = point_number(after) + 1;
	/* One more than are taken: one of these names is free. */
	do {
		if (n == 1)
			snprintf(ret_point, POINT_SIZE, "%s", stamp);
		else
			snprintf(ret_point, POINT_SIZE, "%.*s-%lu",
				 POINT_STAMP_LENGTH, stamp, n);
		n++;
	} while (by_full_name(catalog, ret_point) ||
		 catalog_hidden(catalog, ret_point));
	if (!point_valid(ret_point))
		return fail(err, -ERANGE, "the clock of this host is wrong");
	return 0;
}
