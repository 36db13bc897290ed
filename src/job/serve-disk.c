/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A disk on the far side: its blocks come to the server behind the door, by
 * connections that know nothing else, and its sums over the channel.
 */
#include <endian.h>
#include <string.h>

#include "base/bitmap.h"
#include "job/serve-parts.h"
#include "job/target-repo.h"
#include "repo/json.h"
#include "repo/manifest.h"
#include "repo/sums.h"

#define KNOWN_BYTES (64u << 10) /* of a frame, about */
#define KNOWN_UNITS 1024u       /* looked up at a time */
#define MAX_BLOCK_BYTES (1u << 20)
/* Its map is in memory, whoever asks for it. */
#define MAX_DISK_BYTES (UINT64_C(64) << 40)

/* ------------------------------------------------------ what it is about */

static int check_geometry(const struct pending *pending, struct err *err)
{
	uint32_t block_bytes = pending->block_bytes;

	if (!disk_target_valid(pending->disk))
		return fail(err, -EINVAL, "'%s': no name of a disk",
			    pending->disk);
	if (!pending->size_bytes || pending->size_bytes % 512)
		return fail(err, -EINVAL, "%s: no size of a disk",
			    pending->disk);
	if (block_bytes < SUM_BLOCK_BYTES || block_bytes & (block_bytes - 1))
		return fail(err, -EINVAL, "%s: no size of a block",
			    pending->disk);
	return 0;
}

/* The disk that @call is about, with an empty map. */
static int take_disk(const struct serve_call *call,
		     struct pending **ret_pending, struct err *err)
{
	_cleanup_pending_ struct pending *pending = calloc(1, sizeof(*pending));
	uint64_t block_bytes = 0;
	const char *disk;
	int r;

	if (!pending)
		return fail(err, -ENOMEM, "out of memory");
	r = json_get_string(call->json, "disk", &disk, err);
	if (r == 0)
		r = json_get_uint(call->json, "size_bytes", MAX_DISK_BYTES,
				  &pending->size_bytes, err);
	if (r == 0)
		r = json_get_uint(call->json, "block_bytes", MAX_BLOCK_BYTES,
				  &block_bytes, err);
	if (r < 0)
		return r;
	pending->block_bytes = block_bytes;
	pending->disk = strdup(disk);
	if (!pending->disk)
		return fail(err, -ENOMEM, "out of memory");
	r = check_geometry(pending, err);
	if (r < 0)
		return r;
	pending->map = bitmap_new((pending->size_bytes + block_bytes - 1) /
				  block_bytes);
	if (!pending->map)
		return fail(err, -ENOMEM, "out of memory");
	*ret_pending = TAKE_PTR(pending);
	return 0;
}

int serve_damaged(struct serve *serve, struct serve_call *call, struct err *err)
{
	_cleanup_pending_ struct pending *pending = NULL;
	int r = take_disk(call, &pending, err);

	if (r == 0)
		r = target_image_find_damaged(serve->to, pending, pending->map,
					      err);
	return r < 0 ? r : far_put_map(&call->reply_blob, pending->map, err);
}

/* ------------------------------------------------------------- its image */

static void answer_door(void *opaque)
{
	const struct serve *serve = opaque;

	door_answer(&serve->disk.door, serve->disk.server);
}

/* Nobody comes in any more. */
static void close_door(struct serve *serve)
{
	channel_watch(serve->channel, 0, -1, NULL, NULL);
	door_close(&serve->disk.door);
	serve->disk.server = NULL;
}

void serve_drop_disk(struct serve *serve)
{
	struct serve_disk *disk = &serve->disk;

	point_image_close(&serve->source);
	if (!disk->pending)
		return;
	close_door(serve);
	target_image_drop(&disk->image);
	pending_free(disk->pending);
	*disk = (struct serve_disk){.door.fd = -1};
}

int serve_open_door(struct serve *serve, struct ship_server *server,
		    struct serve_call *call, struct err *err)
{
	struct serve_disk *disk = &serve->disk;
	char token[DOOR_TOKEN_SIZE];
	int r = door_open(&disk->door, token, err);

	if (r < 0)
		return r;
	disk->server = server;
	channel_watch(serve->channel, 0, disk->door.fd, answer_door, serve);
	json_add_string(call->reply, "token", token);
	return 0;
}

/* What is pending, and what of it is to be sent. */
static int take_maps(const struct serve_call *call, struct pending *pending,
		     struct err *err)
{
	uint64_t map_bytes;
	int r = json_get_uint(call->json, "map_bytes", call->blob_bytes,
			      &map_bytes, err);

	if (r < 0)
		return r;
	pending->to_send = bitmap_new(pending->map->nr_blocks);
	if (!pending->to_send)
		return fail(err, -ENOMEM, "out of memory");
	r = far_get_map(call->blob, map_bytes, pending->map, err);
	if (r == 0)
		r = far_get_map(call->blob + map_bytes,
				call->blob_bytes - map_bytes, pending->to_send,
				err);
	if (r == 0 && !bitmap_covers(pending->map, pending->to_send))
		r = fail(err, -EPROTO, "%s: sends what is not pending",
			 pending->disk);
	return r;
}

static int begin(struct serve *serve, struct serve_call *call, struct err *err)
{
	struct serve_disk *disk = &serve->disk;
	int r = take_maps(call, disk->pending, err);

	if (r == 0)
		r = target_image_begin(serve->to, disk->pending, &disk->image,
				       err);
	if (r < 0)
		return r;
	json_add_string(call->reply, "backing", disk->image.backing);
	json_add_bool(call->reply, "resumed", disk->image.resumable);
	return serve_open_door(serve, disk->image.server, call, err);
}

int serve_begin_disk(struct serve *serve, struct serve_call *call,
		     struct err *err)
{
	struct serve_disk *disk = &serve->disk;
	int r;

	if (!serve->to->target.point[0] || disk->pending)
		return fail(err, -EPROTO, "out of turn");
	r = take_disk(call, &disk->pending, err);
	if (r == 0)
		r = begin(serve, call, err);
	if (r < 0)
		serve_drop_disk(serve);
	return r;
}

/* What went wrong before, where nobody could be told. */
static int check_disk(const struct serve *serve, struct err *err)
{
	const struct err *failure = &serve->disk.failure;

	if (!serve->disk.pending)
		return fail(err, -EPROTO, "out of turn");
	return failure->code ? fail(err, failure->code, "%s", failure->text)
			     : 0;
}

int serve_open_window(struct serve *serve, struct serve_call *call,
		      struct err *err)
{
	struct serve_disk *disk = &serve->disk;
	uint64_t first, end, per_block;
	int r = check_disk(serve, err);

	if (r < 0)
		return r;
	/* The last block may be longer than the disk. */
	per_block = disk->pending->block_bytes / SUM_BLOCK_BYTES;
	r = json_get_uint(call->json, "end",
			  disk->pending->map->nr_blocks * per_block, &end, err);
	if (r == 0)
		r = json_get_uint(call->json, "first", end, &first, err);
	return r < 0 ? r
		     : target_image_open_window(serve->to, &disk->image,
						disk->pending, first, end, err);
}

int serve_close_window(struct serve *serve, struct serve_call *call,
		       struct err *err)
{
	int r = check_disk(serve, err);

	return r < 0 ? r
		     : target_image_close_window(serve->to, &serve->disk.image,
						 serve->disk.pending, err);
}

static int remember(struct serve *serve, struct err *err)
{
	const struct serve_disk *disk = &serve->disk;
	struct serve_done *done =
		reallocarray(serve->done, serve->nr_done + 1, sizeof(*done));

	if (!done)
		return fail(err, -ENOMEM, "out of memory");
	serve->done = done;
	done = &serve->done[serve->nr_done++];
	memcpy(done->disk, disk->image.disk, sizeof(done->disk));
	memcpy(done->backing, disk->image.backing, sizeof(done->backing));
	done->size_bytes = disk->pending->size_bytes;
	return 0;
}

int serve_end_disk(struct serve *serve, struct serve_call *call,
		   struct err *err)
{
	int r = check_disk(serve, err);

	close_door(serve);
	if (r == 0)
		r = target_image_end(serve->to, &serve->disk.image,
				     serve->disk.pending, err);
	if (r == 0)
		r = remember(serve, err);
	serve_drop_disk(serve);
	return r;
}

/* -------------------------------------------------------------- its sums */

static int put_known(struct serve_disk *disk, uint64_t first, uint64_t count,
		     struct far_sums_out *out, struct err *err)
{
	struct sum sent[KNOWN_UNITS], under[KNOWN_UNITS];
	struct ledger *ledger = &disk->image.known.ledger;
	int r = ledger->look_up(ledger, first, count, sent, under, err);

	return r < 0 ? r
		     : far_put_sums(out, first, count,
				    (const struct sum *const[]){sent, under},
				    err);
}

/* Of the blocks to be sent behind those that were looked up, as many units as
 * are looked up at a time; 0: there are none. */
static uint64_t next_units(const struct serve_disk *disk, uint64_t *ret_first)
{
	const struct pending *pending = disk->pending;
	uint64_t per_block = pending->block_bytes / SUM_BLOCK_BYTES;
	uint64_t nr_units = sum_count(pending->size_bytes), first, end;
	uint64_t run = bitmap_next_run(pending_to_send(pending),
				       disk->asked_units / per_block, 0,
				       &first);

	if (!run)
		return 0;
	end = (first + run) * per_block;
	first *= per_block;
	if (first < disk->asked_units)
		first = disk->asked_units;
	if (end > nr_units)
		end = nr_units;
	if (end > first + KNOWN_UNITS)
		end = first + KNOWN_UNITS;
	*ret_first = first;
	return end - first;
}

int serve_known(struct serve *serve, struct err *err)
{
	struct serve_disk *disk = &serve->disk;
	struct far_sums_out out = {.nr_columns = 2};
	uint64_t nr_units, first, count, covered;
	int r = check_disk(serve, err);

	if (r < 0)
		return r;
	nr_units = sum_count(disk->pending->size_bytes);
	if (disk->asked_units == nr_units)
		return 0;
	out.at = disk->asked_units;
	covered = 0; /* its place */
	r = far_put_bytes(&out.bytes, &covered, sizeof(covered), err);
	while (r == 0 && out.bytes.used < KNOWN_BYTES &&
	       (count = next_units(disk, &first))) {
		r = put_known(disk, first, count, &out, err);
		disk->asked_units = first + count;
	}
	if (r == 0 && out.bytes.used < KNOWN_BYTES)
		disk->asked_units = nr_units;
	covered = htole64(disk->asked_units);
	if (r == 0) {
		memcpy(out.bytes.data, &covered, sizeof(covered));
		r = channel_send(serve->channel, FRAME_KNOWN, out.bytes.data,
				 out.bytes.used, err);
	}
	far_bytes_clear(&out.bytes);
	return r;
}

void serve_add(struct serve *serve, const struct frame *frame)
{
	struct serve_disk *disk = &serve->disk;
	struct ledger *ledger = &disk->image.known.ledger;
	struct far_sums_in in = {.data = frame->data,
				 .size_bytes = frame->size_bytes,
				 .nr_columns = 1,
				 .at = disk->added_units};
	struct sum sums[KNOWN_UNITS];
	uint64_t first;
	int64_t n = 0;

	if (check_disk(serve, NULL) < 0)
		return;
	in.nr_blocks = sum_count(disk->pending->size_bytes);
	while ((n = far_get_sums(&in, KNOWN_UNITS, &first,
				 (struct sum *const[]){sums}, &disk->failure)) >
	       0)
		if (ledger->add(ledger, first, n, sums, &disk->failure) < 0)
			return;
	disk->added_units = in.at;
}
