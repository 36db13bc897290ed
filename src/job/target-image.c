/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A run's image is a new one over the newest.  Its sums become durable after
 * it, and both get their names together.
 */
#include "job/target-image.h"

#include <string.h>

#include "base/bitmap.h"
#include "base/err.h"
#include "job/target-repo.h"
#include "job/ui.h"
#include "repo/catalog.h"
#include "repo/domain.h"
#include "repo/image.h"
#include "repo/partial.h"
#include "repo/pending.h"
#include "repo/sums-view.h"
#include "repo/sums.h"
#include "ship/server.h"

/* ------------------------------------------------------ what is known */

/* What an image over @backing reads as before anything is sent to it; what was
 * found damaged of that goes into @map, if not NULL. */
static int open_under(const struct target_repo *to, const char *disk,
		      const char *backing, struct bitmap *map,
		      uint32_t block_bytes, struct sums_view **ret_view,
		      struct err *err)
{
	_cleanup_sums_view_ struct sums_view *view = NULL;
	const struct manifest *below = NULL;
	int r = 0;

	if (backing[0])
		r = catalog_find(to->catalog, backing, &below, err);
	if (r == 0)
		r = sums_view_open(to->domain, to->catalog, below, disk, &view,
				   err);
	if (r == 0)
		r = sums_view_distrust(view, to->domain, disk, map, block_bytes,
				       err);
	if (r == 0)
		*ret_view = TAKE_PTR(view);
	return r;
}

int target_image_find_damaged(const struct target_repo *to,
			      const struct pending *pending,
			      struct bitmap *damaged, struct err *err)
{
	_cleanup_sums_view_ struct sums_view *view = NULL;
	const char *backing =
		target_backing(&to->target, pending->disk, pending->size_bytes);

	return open_under(to, pending->disk, backing, damaged,
			  pending->block_bytes, &view, err);
}

static struct sums_id id_of(const struct target_repo *to,
			    const struct target_image *image,
			    const struct pending *pending)
{
	return (struct sums_id){.repo_id = to->target.id,
				.domain_uuid = to->target.domain_uuid,
				.target = image->disk,
				.point = to->target.point,
				.backing = image->backing,
				.size_bytes = pending->size_bytes};
}

static int open_ledger(const struct target_repo *to,
		       const struct pending *pending, struct sums *sent,
		       struct target_image *image, struct err *err)
{
	_cleanup_sums_ struct sums *owned = sent;
	struct sums_view *under;
	const struct sums_id id = id_of(to, image, pending);
	_cleanup_free_ char *path =
		sums_partial_path(to->domain, image->disk, to->target.point);
	int r;

	if (!path)
		return fail(err, -ENOMEM, "out of memory");
	r = open_under(to, image->disk, image->backing, NULL, 0, &under, err);
	return r < 0 ? r
		     : ledger_files_open(path, &id, under, TAKE_PTR(owned),
					 &image->known, err);
}

/* ---------------------------------------------------------- the image */

/* QEMU is about to open what the new image is laid over. */
static int check_below(const struct target_repo *to,
		       const struct target_image *image, struct err *err)
{
	const struct manifest *below;
	int r;

	if (!image->backing[0])
		return 0;
	r = catalog_find(to->catalog, image->backing, &below, err);
	if (r < 0)
		return r;
	return image_check_chain(to->domain, to->catalog, below, image->disk,
				 err);
}

/* The image of an earlier run that did not come to its end, or a new one. */
static int find_or_create(struct target_repo *to, const struct pending *pending,
			  struct target_image *image, char **ret_path,
			  struct sums **ret_sent, struct err *err)
{
	const struct sums_id id = id_of(to, image, pending);
	const char *point = to->target.point;
	int r = image_make_directory(to->domain, image->disk, err);

	if (r == 0)
		r = check_below(to, image, err);
	if (r == 0)
		r = partial_adopt(to->domain, &id, pending->map,
				  pending->block_bytes, ret_sent, err);
	if (r < 0)
		return r;
	image->resumable = *ret_sent;
	if (!*ret_sent)
		return image_create_partial(to->domain, image->disk, point,
					    pending->size_bytes, image->backing,
					    ret_path, err);
	*ret_path = image_partial_path(to->domain, image->disk, point);
	return *ret_path ? 0 : fail(err, -ENOMEM, "out of memory");
}

int target_image_begin(struct target_repo *to, const struct pending *pending,
		       struct target_image *image, struct err *err)
{
	_cleanup_sums_ struct sums *sent = NULL;
	_cleanup_free_ char *path = NULL;
	struct ship_image qcow2 = {.format = "qcow2"};
	int r;

	*image = (struct target_image){0};
	snprintf(image->disk, sizeof(image->disk), "%s", pending->disk);
	snprintf(image->backing, sizeof(image->backing), "%s",
		 target_backing(&to->target, pending->disk,
				pending->size_bytes));
	r = find_or_create(to, pending, image, &path, &sent, err);
	if (r == 0)
		r = open_ledger(to, pending, TAKE_PTR(sent), image, err);
	if (r < 0)
		return r;
	qcow2.path = path;
	return ship_server_start(&qcow2, &image->server, err);
}

/* As long as nothing of the image is known, it would be begun anew anyway. */
int target_image_open_window(const struct target_repo *to,
			     const struct target_image *image,
			     const struct pending *pending, uint64_t first,
			     uint64_t end, struct err *err)
{
	const struct sums_id id = id_of(to, image, pending);

	if (!image->resumable)
		return 0;
	return partial_open_window(to->domain, &id, pending_to_send(pending),
				   pending->block_bytes, first, end, err);
}

int target_image_close_window(const struct target_repo *to,
			      struct target_image *image,
			      const struct pending *pending, struct err *err)
{
	const struct sums_id id = id_of(to, image, pending);
	int r = sums_writer_checkpoint(image->known.writer, err);

	image->resumable = true;
	return r < 0 ? r : partial_close_window(to->domain, &id, err);
}

int target_image_end(struct target_repo *to, struct target_image *image,
		     const struct pending *pending, struct err *err)
{
	const char *problem = sums_view_problem(image->known.under);
	const char *point = to->target.point;
	int r = ship_server_stop(TAKE_PTR(image->server), err);

	if (problem)
		ui_warn(to->target.ui,
			"%s; what it was about was sent again without need",
			problem);
	if (r == 0)
		r = ledger_files_end(&image->known,
				     sum_count(pending->size_bytes), err);
	if (r == 0)
		r = sums_writer_finish(image->known.writer, err);
	if (r == 0)
		r = partial_forget(to->domain, image->disk, point, err);
	if (r == 0)
		r = image_finish(to->domain, image->disk, point, err);
	return r;
}

void target_image_drop(struct target_image *image)
{
	if (image->server)
		ship_server_kill(TAKE_PTR(image->server));
	ledger_files_close(&image->known);
}
