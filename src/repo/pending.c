/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Every doubt ends in pending_distrust(): the set becomes full and keeps the
 * first reason why.  Nothing here makes a set smaller but pending_settle().
 */
#include "repo/pending.h"

#include <string.h>

#include "base/err.h"
#include "base/io.h"
#include "repo/listing.h"
#include "repo/pending-file.h"

void pending_free(struct pending *pending)
{
	if (!pending)
		return;
	free(pending->disk);
	free(pending->location);
	bitmap_free(pending->map);
	bitmap_free(pending->to_send);
	tail_free(&pending->tail);
	free(pending);
}

const char *pending_reason_text(enum pending_reason reason)
{
	static const char *const texts[] = {
		[PENDING_TRACKED] = NULL,
		[PENDING_NEW] = "nothing was shipped to this target before",
		[PENDING_GAP] = "changes were taken without being recorded "
				"for this target",
		[PENDING_DAMAGED] = "the record of pending blocks is damaged",
		[PENDING_RESIZED] =
			"the disk became smaller or its block size changed",
		[PENDING_FOREIGN] = "the target does not hold what was "
				    "shipped to it last",
		[PENDING_TRACKER] = "tracking began anew since the last backup",
	};

	return texts[reason];
}

static char *file_path(const char *state_dir, const char *repo_id,
		       const char *disk)
{
	return io_format("%s/pending/%s/%s", state_dir, repo_id, disk);
}

static uint64_t blocks_of(uint64_t size_bytes, uint32_t block_bytes)
{
	return size_bytes / block_bytes + (size_bytes % block_bytes != 0);
}

void pending_distrust(struct pending *pending, enum pending_reason reason)
{
	bitmap_fill(pending->map);
	if (pending->to_send)
		bitmap_fill(pending->to_send);
	if (pending->reason == PENDING_TRACKED)
		pending->reason = reason;
}

/* -------------------------------------------------------------- loading */

static struct pending *full_set(const struct pending_disk *disk,
				const char *repo_id, enum pending_reason reason)
{
	_cleanup_pending_ struct pending *pending = calloc(1, sizeof(*pending));

	if (!pending)
		return NULL;
	snprintf(pending->repo_id, UUID_SIZE, "%s", repo_id);
	snprintf(pending->domain_uuid, UUID_SIZE, "%s", disk->domain_uuid);
	pending->disk = strdup(disk->disk);
	pending->location = strdup("");
	pending->size_bytes = disk->size_bytes;
	pending->block_bytes = disk->block_bytes;
	pending->map =
		bitmap_new(blocks_of(disk->size_bytes, disk->block_bytes));
	if (!pending->disk || !pending->location || !pending->map)
		return NULL;
	pending_distrust(pending, reason);
	return TAKE_PTR(pending);
}

static bool belongs_to(const struct pending *pending,
		       const struct pending_disk *disk, const char *repo_id)
{
	return strcmp(pending->repo_id, repo_id) == 0 &&
	       strcasecmp(pending->domain_uuid, disk->domain_uuid) == 0 &&
	       strcmp(pending->disk, disk->disk) == 0;
}

/* Brings @map to @nr_blocks, all set but the first @nr_kept. */
static int resize(struct bitmap **map, uint64_t nr_blocks, uint64_t nr_kept)
{
	struct bitmap *resized = bitmap_new(nr_blocks);

	if (!resized)
		return -ENOMEM;
	if (nr_kept)
		memcpy(resized->bits, (*map)->bits, (*map)->size_bytes);
	bitmap_set(resized, nr_kept, nr_blocks - nr_kept);
	bitmap_free(*map);
	*map = resized;
	return 0;
}

/* Brings the set to the disk's present size. */
static int adapt(struct pending *pending, const struct pending_disk *disk)
{
	uint64_t nr_blocks = blocks_of(disk->size_bytes, disk->block_bytes);
	/* A short last block grows too, so it is new as well. */
	uint64_t nr_kept = pending->size_bytes / pending->block_bytes;
	bool comparable = pending->block_bytes == disk->block_bytes &&
			  pending->size_bytes <= disk->size_bytes;

	if (comparable && pending->size_bytes == disk->size_bytes)
		return 0;
	if (!comparable)
		nr_kept = 0;
	if (resize(&pending->map, nr_blocks, nr_kept) < 0 ||
	    (pending->to_send &&
	     resize(&pending->to_send, nr_blocks, nr_kept) < 0))
		return -ENOMEM;
	pending->size_bytes = disk->size_bytes;
	pending->block_bytes = disk->block_bytes;
	if (!comparable)
		pending_distrust(pending, PENDING_RESIZED);
	return 0;
}

/* Without a known tracker on either side, the epochs decide alone. */
static void adapt_tracker(struct pending *pending,
			  const struct pending_disk *disk)
{
	if (!disk->tracker || !disk->tracker[0])
		return;
	if (pending->tracker[0] && strcmp(pending->tracker, disk->tracker) != 0)
		pending_distrust(pending, PENDING_TRACKER);
	snprintf(pending->tracker, UUID_SIZE, "%s", disk->tracker);
}

/* Errors that writing the file anew will not cure. */
static bool is_fatal(int code)
{
	return code == -ENOMEM || code == -EACCES || code == -EPERM ||
	       code == -EMFILE || code == -ENFILE;
}

static int check_disk(const struct pending_disk *disk, const char *repo_id,
		      struct err *err)
{
	if (!uuid_valid(repo_id) || !uuid_valid(disk->domain_uuid))
		return fail(err, -EINVAL, "%s: not a uuid",
			    uuid_valid(repo_id) ? disk->domain_uuid : repo_id);
	if (!disk_target_valid(disk->disk))
		return fail(err, -EINVAL, "%s: not the name of a disk",
			    disk->disk);
	if (disk->block_bytes < 512 || disk->size_bytes == 0)
		return fail(err, -EINVAL, "the disk %s has no size",
			    disk->disk);
	return 0;
}

int pending_load(const struct pending_disk *disk, const char *repo_id,
		 struct pending **ret_pending, struct err *err)
{
	_cleanup_free_ char *path =
		file_path(disk->state_dir, repo_id, disk->disk);
	_cleanup_pending_ struct pending *pending = NULL;
	int r = check_disk(disk, repo_id, err);

	if (r < 0)
		return r;
	r = path ? pending_file_read(path, &pending) : -ENOMEM;
	if (is_fatal(r))
		return fail_errno(err, r, "%s", path ? path : disk->disk);
	if (pending && !belongs_to(pending, disk, repo_id))
		pending_free(TAKE_PTR(pending));
	if (!pending)
		pending =
			full_set(disk, repo_id,
				 r == -ENOENT ? PENDING_NEW : PENDING_DAMAGED);
	if (!pending || adapt(pending, disk) < 0)
		return fail(err, -ENOMEM, "%s: out of memory", path);
	adapt_tracker(pending, disk);
	*ret_pending = TAKE_PTR(pending);
	return 0;
}

struct pending *pending_peek(const char *state_dir, const char *repo_id,
			     const char *disk)
{
	_cleanup_free_ char *path = file_path(state_dir, repo_id, disk);
	struct pending *pending = NULL;

	return path && pending_file_read(path, &pending) == 0 ? pending : NULL;
}

/* ------------------------------------------------------------- changing */

int pending_store(const char *state_dir, const struct pending *pending,
		  struct err *err)
{
	_cleanup_free_ char *directory =
		io_format("%s/pending/%s", state_dir, pending->repo_id);
	_cleanup_free_ char *path =
		file_path(state_dir, pending->repo_id, pending->disk);
	int r;

	if (!directory || !path)
		return fail(err, -ENOMEM, "out of memory");
	r = io_make_dirs(directory, err);
	return r < 0 ? r : pending_file_write(path, pending, err);
}

void pending_add(struct pending *pending, const struct bitmap *blocks)
{
	bitmap_or(pending->map, blocks);
	if (pending->to_send)
		bitmap_or(pending->to_send, blocks);
}

static void forget_run(struct pending *pending)
{
	bitmap_free(TAKE_PTR(pending->to_send));
	pending->run[0] = '\0';
}

int pending_begin_run(struct pending *pending, const char *run)
{
	forget_run(pending);
	pending->to_send = bitmap_new(pending->map->nr_blocks);
	if (!pending->to_send)
		return -ENOMEM;
	bitmap_or(pending->to_send, pending->map);
	snprintf(pending->run, UUID_SIZE, "%s", run);
	return 0;
}

const struct bitmap *pending_to_send(const struct pending *pending)
{
	return pending->to_send ? pending->to_send : pending->map;
}

bool pending_is_of_run(const struct pending *pending, const char *run)
{
	return pending->to_send && strcmp(pending->run, run) == 0;
}

void pending_settle(struct pending *pending, const struct bitmap *shipped,
		    const char *point)
{
	uint64_t first = 0, count;

	while ((count = bitmap_next_run(shipped, first, 0, &first))) {
		bitmap_clear(pending->map, first, count);
		first += count;
	}
	snprintf(pending->newest, POINT_SIZE, "%s", point);
	pending->attempt[0] = '\0';
	pending->reason = PENDING_TRACKED;
	forget_run(pending);
}

bool pending_follows(const struct pending *pending, const char *epoch)
{
	return *epoch && (strcmp(pending->epoch, epoch) == 0 ||
			  strcmp(pending->previous, epoch) == 0);
}

bool pending_is_at(const struct pending *pending, const char *point)
{
	return strcmp(point, pending->newest) == 0 ||
	       strcmp(point, pending->attempt) == 0;
}

void pending_at_epoch(struct pending *pending, const char *epoch)
{
	snprintf(pending->epoch, UUID_SIZE, "%s", epoch);
	pending->previous[0] = '\0';
}

int pending_begin(struct pending *pending, const char *location,
		  const char *point)
{
	char *copy = strdup(location);

	if (!copy)
		return -ENOMEM;
	free(pending->location);
	pending->location = copy;
	snprintf(pending->attempt, POINT_SIZE, "%s", point);
	return 0;
}

static void merge(struct pending *pending, const struct bitmap *frozen,
		  const char *before, unsigned int *gaps)
{
	bool follows = pending_follows(pending, before) ||
		       strcmp(pending->epoch, before) == 0;

	if (!follows || frozen->nr_blocks != pending->map->nr_blocks) {
		if (pending->reason == PENDING_TRACKED)
			++*gaps;
		pending_distrust(pending, PENDING_GAP);
	} else {
		pending_add(pending, frozen);
	}
}

static int merge_into(const struct pending_disk *disk, const char *repo_id,
		      const struct bitmap *frozen, const char *before,
		      const char *after, unsigned int *gaps, struct err *err)
{
	_cleanup_pending_ struct pending *pending = NULL;
	int r = pending_load(disk, repo_id, &pending, err);

	if (r < 0 || strcmp(pending->epoch, after) == 0)
		return r;
	merge(pending, frozen, before, gaps);
	snprintf(pending->epoch, UUID_SIZE, "%s", after);
	snprintf(pending->previous, UUID_SIZE, "%s", before);
	return pending_store(disk->state_dir, pending, err);
}

int pending_merge_all(const struct pending_disk *disk,
		      const struct bitmap *frozen, const char *before,
		      const char *after, unsigned int *ret_gaps,
		      struct err *err)
{
	_cleanup_strings_ char **ids = NULL;
	unsigned int gaps = 0;
	size_t count;
	int r;

	if (!uuid_valid(after))
		return fail(err, -EINVAL, "%s: not an epoch", after);
	r = pending_list_ids(disk->state_dir, &ids, &count, err);
	for (size_t i = 0; r == 0 && i < count; i++)
		if (uuid_valid(ids[i]))
			r = merge_into(disk, ids[i], frozen, before, after,
				       &gaps, err);
	if (r == 0)
		*ret_gaps = gaps;
	return r;
}

static int add_to(const struct pending_disk *disk, const char *repo_id,
		  const struct bitmap *missed, struct err *err)
{
	_cleanup_pending_ struct pending *pending = NULL;
	int r = pending_load(disk, repo_id, &pending, err);
	uint64_t count;

	if (r < 0)
		return r;
	if (missed->nr_blocks != pending->map->nr_blocks)
		return fail(err, -EINVAL, "%s: blocks of another disk",
			    disk->disk);
	count = bitmap_count(pending->map);
	pending_add(pending, missed);
	/* What is on its way does not have them: it cannot settle the set. */
	if (bitmap_count(pending->map) != count)
		pending->attempt[0] = '\0';
	return pending_store(disk->state_dir, pending, err);
}

int pending_add_all(const struct pending_disk *disk,
		    const struct bitmap *missed, struct err *err)
{
	_cleanup_strings_ char **ids = NULL;
	size_t count;
	int r = pending_list_ids(disk->state_dir, &ids, &count, err);

	for (size_t i = 0; r == 0 && i < count; i++)
		if (uuid_valid(ids[i]))
			r = add_to(disk, ids[i], missed, err);
	return r;
}

/* --------------------------------------------------- moved to another host */

int pending_adopt(const struct pending_disk *disk, const char *repo_id,
		  const void *content, size_t size_bytes, struct err *err)
{
	_cleanup_free_ void *copy = malloc(size_bytes + 1);
	_cleanup_pending_ struct pending *pending = NULL;
	int r = check_disk(disk, repo_id, err);

	if (r < 0)
		return r;
	if (!copy)
		return fail(err, -ENOMEM, "out of memory");
	memcpy(copy, content, size_bytes);
	r = pending_file_parse(copy, size_bytes, &pending);
	if (r == -ENOMEM)
		return fail(err, r, "out of memory");
	if (r < 0 || !belongs_to(pending, disk, repo_id))
		return fail(err, -EPROTO, "no set of what is pending of %s",
			    disk->disk);
	if (adapt(pending, disk) < 0)
		return fail(err, -ENOMEM, "out of memory");
	snprintf(pending->tracker, UUID_SIZE, "%s",
		 disk->tracker ? disk->tracker : "");
	return pending_store(disk->state_dir, pending, err);
}

int pending_content(const char *state_dir, const char *repo_id,
		    const char *disk, char **ret_content,
		    size_t *ret_size_bytes, struct err *err)
{
	_cleanup_free_ char *path = file_path(state_dir, repo_id, disk);
	_cleanup_pending_ struct pending *pending = NULL;
	int r = path ? pending_file_read(path, &pending) : -ENOMEM;

	if (r < 0)
		return fail_errno(err, r, "%s", path ? path : disk);
	forget_run(pending);
	r = pending_file_content(pending, (uint8_t **)ret_content,
				 ret_size_bytes);
	return r < 0 ? fail(err, r, "out of memory") : 0;
}

int pending_forget(const char *state_dir, const char *repo_id, struct err *err)
{
	_cleanup_free_ char *path =
		io_format("%s/pending/%s", state_dir, repo_id);

	return path ? io_remove_dir(path, err)
		    : fail(err, -ENOMEM, "out of memory");
}
