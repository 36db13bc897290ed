/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Taking over is done so that it can be done again: what is known is gathered
 * into one new file, then the image is renamed to belong to it, then the rest
 * goes.  Any doubt ends in beginning anew, which costs time and no block.
 */
#include "repo/partial.h"

#include <fcntl.h>
#include <string.h>

#include "base/bitmap.h"
#include "base/err.h"
#include "base/io.h"
#include "repo/catalog.h"
#include "repo/domain.h"
#include "repo/image.h"
#include "repo/listing.h"
#include "repo/manifest.h"
#include "repo/qcow2.h"
#include "repo/sums.h"

#define IMAGE ".qcow2.partial"
#define SUMS ".sums.partial"
#define WINDOW ".window.partial"
#define NEXT_WINDOW ".next-window.partial"
#define EARLIER ".earlier.partial"

static char *path_of(const struct repo_domain *domain, const char *target,
		     const char *point, const char *suffix)
{
	return io_format("%s/disks/%s/%s%s", domain->path, target, point,
			 suffix);
}

static int remove_piece(const struct repo_domain *domain, const char *target,
			const char *point, const char *suffix, struct err *err)
{
	_cleanup_free_ char *path = path_of(domain, target, point, suffix);

	if (!path)
		return fail(err, -ENOMEM, "out of memory");
	if (unlink(path) < 0 && errno != ENOENT)
		return fail_errno(err, -errno, "%s", path);
	return 0;
}

int partial_forget(const struct repo_domain *domain, const char *target,
		   const char *point, struct err *err)
{
	static const char *const older[] = {WINDOW, NEXT_WINDOW, EARLIER};
	int r = 0;

	for (size_t i = 0; r == 0 && i < 3; i++)
		r = remove_piece(domain, target, point, older[i], err);
	return r < 0 ? r : image_sync_directory(domain, target, err);
}

int partial_discard(const struct repo_domain *domain, const char *target,
		    const char *point, struct err *err)
{
	/* Without the image, the others are of no use to anybody. */
	int r = remove_piece(domain, target, point, IMAGE, err);

	if (r == 0)
		r = image_sync_directory(domain, target, err);
	if (r == 0)
		r = remove_piece(domain, target, point, SUMS, err);
	return r < 0 ? r : partial_forget(domain, target, point, err);
}

/* ----------------------------------------------------------- is it of use */

/*
 * 1: there is a header; 0: there is no such file, or none yet, since the
 * header comes with the first checkpoint. What cannot be read is an error: it
 * must not be taken for what is not there.
 */
static int has_checkpoint(const char *path)
{
	_cleanup_close_ int fd = io_open_regular(path, O_RDONLY, NULL);
	static const uint8_t none[SUM_BYTES];
	uint8_t checksum[SUM_BYTES];
	int r;

	if (fd < 0)
		return fd == -ENOENT ? 0 : fd;
	r = io_pread_full(fd, checksum, sizeof(checksum), 0);
	if (r == -ENODATA)
		return 0;
	return r < 0 ? r : memcmp(checksum, none, sizeof(none)) != 0;
}

static bool is_over(const char *image, const char *backing, uint64_t size_bytes)
{
	_cleanup_close_ int fd = io_open_regular(image, O_RDONLY, NULL);
	_cleanup_free_ char *name = *backing ? io_format("%s.qcow2", backing)
					     : strdup("");
	struct qcow2_header header;

	return fd >= 0 && name && qcow2_read_header(fd, &header) == 0 &&
	       strcmp(header.backing, name) == 0 && !header.external_data &&
	       !header.encrypted && header.size_bytes == size_bytes;
}

/* True if it is over what the next image of its disk would be, see
 * target_backing(). */
static bool is_over_newest(const char *image, const struct manifest *newest,
			   const char *target)
{
	_cleanup_close_ int fd = io_open_regular(image, O_RDONLY, NULL);
	struct qcow2_header header;

	if (fd < 0 || qcow2_read_header(fd, &header) < 0)
		return false;
	if (newest &&
	    manifest_find_disk(newest, target)->size_bytes > header.size_bytes)
		newest = NULL;
	return is_over(image, newest ? newest->point : "", header.size_bytes);
}

/*
 * True while the image gets its name: its sums have theirs already, and what
 * else there may be is older.
 */
static bool is_half_finished(const struct repo_domain *domain,
			     const char *target, const char *point)
{
	_cleanup_free_ char *path = sums_path(domain, target, point);

	return !path || access(path, F_OK) == 0 || errno != ENOENT;
}

bool partial_is_useful(const struct repo_domain *domain,
		       const struct catalog *catalog, const char *target,
		       const char *point)
{
	const struct manifest *newest =
		catalog_newest_with_disk(catalog, target);
	_cleanup_free_ char *image = path_of(domain, target, point, IMAGE);
	_cleanup_free_ char *sums = path_of(domain, target, point, SUMS);
	_cleanup_free_ char *earlier = path_of(domain, target, point, EARLIER);

	return image && sums && earlier && point_valid(point) &&
	       is_over_newest(image, newest, target) &&
	       !is_half_finished(domain, target, point) &&
	       (has_checkpoint(sums) > 0 || has_checkpoint(earlier) > 0);
}

/* ------------------------------------------------------------ taking over */

/* All that is known of a partial image, the newest word first. */
struct pieces {
	struct sums *files[3];
};

static void pieces_close(struct pieces *pieces)
{
	for (size_t i = 0; i < 3; i++)
		sums_close(pieces->files[i]);
}

/* NULL if it is not there. Only the sums of the last run may be without a
 * checkpoint: the others get their names when they are finished. */
static int open_piece(const struct repo_domain *domain,
		      const struct sums_id *id, const char *suffix,
		      struct sums **ret_sums, struct err *err)
{
	_cleanup_free_ char *path =
		path_of(domain, id->target, id->point, suffix);
	int r;

	*ret_sums = NULL;
	if (!path)
		return fail(err, -ENOMEM, "out of memory");
	r = has_checkpoint(path);
	if (r < 0)
		return fail_errno(err, r, "%s", path);
	if (r == 0 && strcmp(suffix, SUMS) != 0 && access(path, F_OK) == 0)
		return fail(err, -EBADMSG, "%s: cut short", path);
	if (r == 0)
		return 0;
	r = sums_open(path, id, ret_sums, err);
	if (r == 0 && strcmp(sums_backing(*ret_sums), id->backing) != 0)
		r = fail(err, -EBADMSG, "%s: over another image", path);
	return r;
}

static int open_pieces(const struct repo_domain *domain,
		       const struct sums_id *id, struct pieces *pieces,
		       struct err *err)
{
	int r = open_piece(domain, id, SUMS, &pieces->files[0], err);

	if (r == 0)
		r = open_piece(domain, id, WINDOW, &pieces->files[1], err);
	if (r == 0)
		r = open_piece(domain, id, EARLIER, &pieces->files[2], err);
	if (r == 0 && !pieces->files[0] && !pieces->files[2])
		r = fail(err, -ENODATA, "nothing is known of it");
	return r;
}

/* What the image has and @map has not would become part of the new point. */
static int check_covered(struct sums *sums, const struct bitmap *map,
			 uint32_t block_bytes, struct err *err)
{
	uint32_t per_block = block_bytes / SUM_BLOCK_BYTES;
	uint64_t first = 0, count = 0;
	int r;

	while ((r = sums_next_run(sums, first + count, UINT64_MAX, &first,
				  &count, err)) > 0)
		for (uint64_t block = first / per_block;
		     block <= (first + count - 1) / per_block; block++)
			if (!bitmap_test(map, block))
				return fail(err, -EBADMSG,
					    "it has a block that did not "
					    "change");
	return r;
}

/* Gathers what is known of the partial of @from for the one of @id. */
static int gather(const struct repo_domain *domain, const char *from,
		  const struct sums_id *id, const struct bitmap *map,
		  uint32_t block_bytes, struct sums **ret_earlier,
		  struct err *err)
{
	_cleanup_free_ char *path =
		path_of(domain, id->target, id->point, EARLIER);
	_cleanup_sums_writer_ struct sums_writer *writer = NULL;
	_cleanup_(pieces_close) struct pieces pieces = {0};
	_cleanup_sums_ struct sums *earlier = NULL;
	struct sums_id old = *id;
	int r;

	if (!path)
		return fail(err, -ENOMEM, "out of memory");
	old.point = from;
	r = open_pieces(domain, &old, &pieces, err);
	if (r == 0)
		r = sums_writer_open(path, id, &writer, err);
	if (r == 0)
		r = sums_merge(pieces.files, 3, id->size_bytes, writer, err);
	if (r == 0)
		r = sums_writer_finish(writer, err);
	if (r == 0)
		r = sums_open(path, id, &earlier, err);
	if (r == 0)
		r = check_covered(earlier, map, block_bytes, err);
	if (r == 0)
		*ret_earlier = TAKE_PTR(earlier);
	return r;
}

static int take_over(const struct repo_domain *domain, const char *from,
		     const struct sums_id *id, const struct bitmap *map,
		     uint32_t block_bytes, struct sums **ret_earlier,
		     struct err *err)
{
	_cleanup_free_ char *old = path_of(domain, id->target, from, IMAGE);
	_cleanup_free_ char *new =
		path_of(domain, id->target, id->point, IMAGE);
	_cleanup_sums_ struct sums *earlier = NULL;
	int r;

	if (!old || !new)
		return fail(err, -ENOMEM, "out of memory");
	if (!is_over(old, id->backing, id->size_bytes) ||
	    is_half_finished(domain, id->target, from))
		return fail(err, -EBADMSG, "of another image");
	r = image_mend(old, err);
	if (r == 0)
		r = gather(domain, from, id, map, block_bytes, &earlier, err);
	if (r == 0)
		r = image_sync_directory(domain, id->target, err);
	if (r < 0)
		return r;
	if (rename(old, new) < 0)
		return fail_errno(err, -errno, "%s", new);
	r = image_sync_directory(domain, id->target, err);
	if (r == 0)
		r = partial_discard(domain, id->target, from, err);
	if (r == 0)
		*ret_earlier = TAKE_PTR(earlier);
	return r;
}

int partial_adopt(const struct repo_domain *domain, const struct sums_id *id,
		  const struct bitmap *map, uint32_t block_bytes,
		  struct sums **ret_earlier, struct err *err)
{
	_cleanup_free_ char *directory =
		io_format("%s/disks/%s", domain->path, id->target);
	_cleanup_strings_ char **points = NULL;
	_cleanup_sums_ struct sums *earlier = NULL;
	size_t count;
	int r;

	if (!directory)
		return fail(err, -ENOMEM, "out of memory");
	r = partial_discard(domain, id->target, id->point, err);
	if (r == 0)
		r = listing_read(directory, IMAGE, &points, &count, err);
	for (size_t i = 0; r == 0 && i < count; i++) {
		if (!earlier && point_valid(points[i]) &&
		    take_over(domain, points[i], id, map, block_bytes, &earlier,
			      NULL) == 0)
			continue;
		r = partial_discard(domain, id->target, points[i], err);
	}
	/* Of a taking over that failed half way. */
	if (r == 0 && !earlier)
		r = partial_discard(domain, id->target, id->point, err);
	if (r == 0)
		*ret_earlier = TAKE_PTR(earlier);
	return r;
}

/* -------------------------------------------------------------- the window */

static int add_lost(struct sums_writer *writer, uint64_t first, uint64_t count,
		    struct err *err)
{
	static const struct sum lost[64] = {[0 ... 63] = {.kind = SUM_LOST}};
	int r = 0;

	for (uint64_t part; r == 0 && count; first += part, count -= part) {
		part = count < 64 ? count : 64;
		r = sums_writer_add(writer, first, lost, part, err);
	}
	return r;
}

static int write_window(const char *path, const struct sums_id *id,
			const struct bitmap *map, uint32_t block_bytes,
			uint64_t first, uint64_t end, struct err *err)
{
	_cleanup_sums_writer_ struct sums_writer *writer = NULL;
	uint32_t per_block = block_bytes / SUM_BLOCK_BYTES;
	uint64_t block = first / per_block, nr, units;
	uint64_t nr_units = sum_count(id->size_bytes);
	int r = sums_writer_open(path, id, &writer, err);

	while (r == 0 && (nr = bitmap_next_run(map, block, 0, &block)) &&
	       block * per_block < end) {
		first = block * per_block;
		units = nr * per_block;
		if (units > end - first)
			units = end - first;
		if (units > nr_units - first)
			units = nr_units - first;
		r = add_lost(writer, first, units, err);
		block += nr;
	}
	return r < 0 ? r : sums_writer_finish(writer, err);
}

int partial_open_window(const struct repo_domain *domain,
			const struct sums_id *id, const struct bitmap *map,
			uint32_t block_bytes, uint64_t first, uint64_t end,
			struct err *err)
{
	_cleanup_free_ char *path =
		path_of(domain, id->target, id->point, WINDOW);
	_cleanup_free_ char *next =
		path_of(domain, id->target, id->point, NEXT_WINDOW);
	int r;

	if (!path || !next)
		return fail(err, -ENOMEM, "out of memory");
	r = write_window(next, id, map, block_bytes, first, end, err);
	if (r < 0)
		return r;
	if (rename(next, path) < 0)
		return fail_errno(err, -errno, "%s", path);
	return image_sync_directory(domain, id->target, err);
}

/* Should this be forgotten in a power cut, they are sent again without need. */
int partial_close_window(const struct repo_domain *domain,
			 const struct sums_id *id, struct err *err)
{
	return remove_piece(domain, id->target, id->point, WINDOW, err);
}
