/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The sums of a point on its way out: they say how far it is (see removal.c),
 * and become part of those of the image that takes its place.
 */
#include <string.h>

#include "base/bitmap.h"
#include "base/err.h"
#include "base/io.h"
#include "repo/domain.h"
#include "repo/image.h"
#include "repo/manifest.h"
#include "repo/removal.h"
#include "repo/sums.h"

static struct sums_id id_of(const struct repo_domain *domain,
			    const struct manifest *point, const char *target)
{
	const struct manifest_disk *disk = manifest_find_disk(point, target);

	return (struct sums_id){.repo_id = domain->repo_id,
				.domain_uuid = point->domain_uuid,
				.target = disk->target,
				.point = point->point,
				.backing = disk->backing,
				.size_bytes = disk->size_bytes};
}

static int open_sums(const struct repo_domain *domain,
		     const struct manifest *point, const char *target,
		     struct sums **ret_sums, struct err *err)
{
	_cleanup_free_ char *path = sums_path(domain, target, point->point);
	const struct sums_id id = id_of(domain, point, target);

	if (!path)
		return fail(err, -ENOMEM, "out of memory");
	return sums_open(path, &id, ret_sums, err);
}

int removal_state(const struct repo_domain *domain,
		  const struct manifest *point, const char *target,
		  const struct manifest *child, enum removal_state *ret_state,
		  struct err *err)
{
	const char *backing = manifest_find_disk(point, target)->backing;
	_cleanup_free_ char *image = image_path(domain, target, point->point);
	_cleanup_sums_ struct sums *sums = NULL;
	int r;

	if (!image)
		return fail(err, -ENOMEM, "out of memory");
	if (access(image, F_OK) < 0) {
		*ret_state = REMOVAL_DONE;
		return errno == ENOENT ? 0
				       : fail_errno(err, -errno, "%s", image);
	}
	if (!child) {
		*ret_state = REMOVAL_ALONE;
		return 0;
	}
	r = open_sums(domain, child, target, &sums, err);
	if (r < 0)
		return r;
	if (strcmp(sums_backing(sums), point->point) == 0)
		*ret_state = REMOVAL_COVERED;
	else if (strcmp(sums_backing(sums), backing) == 0)
		*ret_state = REMOVAL_MERGED;
	else
		return fail(err, -EBADMSG,
			    "%s of %s: its sums are of another image", target,
			    child->point);
	return 0;
}

/* Goes through all the sums of an image. @map and @ret_blocks may be NULL. */
static int walk(const struct repo_domain *domain, const struct manifest *point,
		const char *target, struct bitmap *map, uint64_t *ret_blocks,
		struct err *err)
{
	_cleanup_sums_ struct sums *sums = NULL;
	uint64_t first = 0, count = 0;
	int r = open_sums(domain, point, target, &sums, err);

	if (r < 0)
		return r;
	while ((r = sums_next_run(sums, first + count, UINT64_MAX, &first,
				  &count, err)) > 0)
		if (map)
			bitmap_set(map, first, count);
	if (r == 0 && ret_blocks)
		*ret_blocks = sums_nr_data(sums);
	return r;
}

int removal_check_sums(const struct repo_domain *domain,
		       const struct manifest *point, const char *target,
		       uint64_t *ret_blocks, struct err *err)
{
	return walk(domain, point, target, NULL, ret_blocks, err);
}

int removal_own_blocks(const struct repo_domain *domain,
		       const struct manifest *point, const char *target,
		       struct bitmap *map, struct err *err)
{
	return walk(domain, point, target, map, NULL, err);
}

int removal_merge_sums(const struct repo_domain *domain,
		       const struct manifest *point, const char *target,
		       const struct manifest *child, struct err *err)
{
	_cleanup_free_ char *path = sums_path(domain, target, child->point);
	_cleanup_free_ char *partial =
		sums_partial_path(domain, target, child->point);
	_cleanup_sums_ struct sums *upper = NULL, *lower = NULL;
	_cleanup_sums_writer_ struct sums_writer *writer = NULL;
	struct sums_id id = id_of(domain, child, target);
	int r;

	if (!path || !partial)
		return fail(err, -ENOMEM, "out of memory");
	id.backing = manifest_find_disk(point, target)->backing;
	r = open_sums(domain, child, target, &upper, err);
	if (r == 0)
		r = open_sums(domain, point, target, &lower, err);
	if (r == 0)
		r = sums_writer_open(partial, &id, &writer, err);
	if (r == 0)
		r = sums_merge((struct sums *[]){upper, lower}, 2,
			       id.size_bytes, writer, err);
	if (r == 0)
		r = sums_writer_finish(writer, err);
	if (r < 0) {
		unlink(partial);
		return r;
	}
	if (rename(partial, path) < 0)
		return fail_errno(err, -errno, "%s", path);
	return image_sync_directory(domain, target, err);
}
