/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A domain is brought here from another host: each of its disks has a door,
 * with the receiver's server behind it.
 *
 * Who may do that owns this host anyway: he starts domains on it.  A key that
 * is let in to a repository only may not.
 */
#include <poll.h>
#include <string.h>

#include "base/bitmap.h"
#include "base/io.h"
#include "base/name.h"
#include "dm/handover.h"
#include "job/receiver.h"
#include "job/serve-parts.h"
#include "repo/json.h"
#include "ship/server.h"

#define MAX_DISK_BYTES (UINT64_C(64) << 40)
#define PATIENCE_MS (CHANNEL_SILENCE_MS + 5000)
#define PAUSE_MS 100
#define RELEASE_MS 5000

/* --------------------------------------------------------------- opening it */

static int take_disk(const struct json_object *json, struct receiver_disk *disk,
		     struct err *err)
{
	int r = json_get_string(json, "disk", &disk->disk, err);

	if (r == 0)
		r = json_get_string(json, "name", &disk->name, err);
	if (r == 0)
		r = json_get_string(json, "path", &disk->path, err);
	if (r == 0)
		r = json_get_uint(json, "size_bytes", MAX_DISK_BYTES,
				  &disk->size_bytes, err);
	if (r == 0)
		r = json_get_bool(json, "create", &disk->create, err);
	if (r == 0)
		r = json_get_bool(json, "overwrite", &disk->overwrite, err);
	if (r == 0 && (!disk->size_bytes || disk->size_bytes % 512))
		r = fail(err, -EINVAL, "%s: no size of a disk", disk->disk);
	return r;
}

/* The connection before this one may not have noticed yet that it is over. */
static int open_patiently(struct serve *serve,
			  const struct receiver_domain *domain, struct err *err)
{
	uint64_t began_ms = ui_now_ms();
	struct err why = {0};
	int r;

	while ((r = receiver_open(domain, &serve->seed.receiver, &serve->ui,
				  &why)) == -EBUSY &&
	       !receiver_domain_runs(domain) &&
	       ui_now_ms() - began_ms < PATIENCE_MS) {
		poll(NULL, 0, PAUSE_MS);
		err_clear(&why);
	}
	return r < 0 ? fail(err, r, "%s", why.text) : 0;
}

static void answer_door(void *opaque)
{
	const struct serve_door *door = opaque;
	struct ship_server *server =
		receiver_server(door->serve->seed.receiver, door->number);

	if (server)
		door_answer(&door->door, server);
}

static int open_door(struct serve *serve, size_t i, struct json_object *item,
		     struct err *err)
{
	struct serve_door *door = &serve->seed.doors[i];
	char token[DOOR_TOKEN_SIZE];
	int r = door_open(&door->door, token, err);

	if (r < 0)
		return r;
	json_add_bool(item, "block",
		      receiver_is_block(serve->seed.receiver, i));
	door->serve = serve;
	door->number = i;
	serve->seed.nr_doors = i + 1;
	channel_watch(serve->channel, i, door->door.fd, answer_door, door);
	json_add_string(item, "token", token);
	json_add_bool(item, "created",
		      receiver_has_created(serve->seed.receiver, i));
	json_add_bool(item, "trusted",
		      receiver_is_trusted(serve->seed.receiver, i));
	return 0;
}

static int open_seed(struct serve *serve, struct serve_call *call,
		     struct receiver_domain *domain,
		     struct receiver_disk disks[], struct err *err)
{
	const struct json_object *array, *item;
	struct json_object *doors;
	int r = json_get_array(call->json, "disks", CHANNEL_MAX_WATCHES, &array,
			       &domain->nr_disks, err);

	for (size_t i = 0; r == 0 && i < domain->nr_disks; i++) {
		r = json_get_item(array, i, &item, err);
		if (r == 0)
			r = take_disk(item, &disks[i], err);
	}
	if (r == 0 && !domain->nr_disks)
		r = fail(err, -EPROTO, "a domain without disks");
	if (r == 0)
		r = open_patiently(serve, domain, err);
	if (r < 0)
		return r;
	doors = json_add_array(call->reply, "disks");
	for (size_t i = 0; r == 0 && i < domain->nr_disks; i++)
		r = open_door(serve, i, json_append_object(doors), err);
	return r;
}

int serve_seed(struct serve *serve, struct serve_call *call, struct err *err)
{
	struct receiver_disk disks[CHANNEL_MAX_WATCHES] = {0};
	struct receiver_domain domain = {.disks = disks};
	int r = json_get_string(call->json, "domain", &domain.name, err);

	if (r == 0)
		r = json_get_string(call->json, "uuid", &domain.uuid, err);
	if (r == 0)
		r = json_get_bool(call->json, "look_only", &domain.look_only,
				  err);
	if (r < 0)
		return r;
	if (serve->only)
		return fail(err, -EACCES,
			    "this key is let in to a repository only");
	if (serve->to || serve->from.repo || serve->seed.receiver ||
	    serve->command.run.pid || !uuid_valid(domain.uuid))
		return fail(err, -EPROTO, "out of turn");
	r = open_seed(serve, call, &domain, disks, err);
	if (r < 0)
		serve_drop_seed(serve);
	return r;
}

/* ---------------------------------------------------------------- what comes */

static int check(const struct serve *serve, struct err *err)
{
	return serve->seed.receiver ? 0 : fail(err, -EPROTO, "out of turn");
}

/* The number of the disk that @call is about. */
static int take_number(const struct serve *serve, const struct serve_call *call,
		       uint64_t *ret_number, struct err *err)
{
	int r = check(serve, err);

	return r < 0 ? r
		     : json_get_uint(call->json, "number",
				     serve->seed.nr_doors - 1, ret_number, err);
}

int serve_seed_arm(struct serve *serve, struct serve_call *call,
		   struct err *err)
{
	bool live;
	int r = check(serve, err);

	if (r == 0)
		r = json_get_bool(call->json, "live", &live, err);
	return r < 0 ? r : receiver_arm(serve->seed.receiver, live, err);
}

int serve_seed_hold(struct serve *serve, struct serve_call *call,
		    struct err *err)
{
	int r = check(serve, err);

	return r < 0 ? r : receiver_hold(serve->seed.receiver, err);
}

int serve_seed_pending(struct serve *serve, struct serve_call *call,
		       struct err *err)
{
	const char *repo_id;
	uint64_t number;
	int r = take_number(serve, call, &number, err);

	if (r == 0)
		r = json_get_string(call->json, "repository", &repo_id, err);
	return r < 0 ? r
		     : receiver_take_pending(serve->seed.receiver, number,
					     repo_id, call->blob,
					     call->blob_bytes, err);
}

int serve_seed_frozen(struct serve *serve, struct serve_call *call,
		      struct err *err)
{
	_cleanup_bitmap_ struct bitmap *frozen = NULL;
	const char *before;
	uint64_t number, nr_blocks;
	int r = take_number(serve, call, &number, err);

	if (r == 0)
		r = json_get_string(call->json, "before", &before, err);
	if (r == 0)
		r = json_get_uint(call->json, "nr_blocks", MAX_DISK_BYTES / 512,
				  &nr_blocks, err);
	if (r == 0 && *before && !uuid_valid(before))
		r = fail(err, -EPROTO, "'%s': no epoch", before);
	if (r < 0)
		return r;
	frozen = bitmap_new(nr_blocks);
	if (!frozen)
		return fail(err, -ENOMEM, "out of memory");
	r = far_get_map(call->blob, call->blob_bytes, frozen, err);
	if (r == 0)
		receiver_take_frozen(serve->seed.receiver, number, before,
				     TAKE_PTR(frozen));
	return r;
}

int serve_seed_finish(struct serve *serve, struct serve_call *call,
		      struct err *err)
{
	_cleanup_free_ char *xml = NULL;
	int r = check(serve, err);

	if (r < 0)
		return r;
	xml = strndup((const char *)call->blob, call->blob_bytes);
	return xml ? receiver_finish(serve->seed.receiver, xml, err)
		   : fail(err, -ENOMEM, "out of memory");
}

/*
 * Who has it lets go of it, if all has come; one that is gone had it all if it
 * left word.  One that does not hear yet is asked again.  Where its QEMU is
 * gone it never went on if the mark is there.
 */
static int release_other(struct serve_call *call, const char *uuid, bool stands,
			 struct err *err)
{
	_cleanup_free_ char *state_dir = io_format(PLACE_STATE "/%s", uuid);
	uint64_t began_ms = ui_now_ms();
	int r = 0;

	if (!state_dir)
		return fail(err, -ENOMEM, "out of memory");
	if (stands)
		handover_tell(uuid);
	while (stands && handover_is_arriving(state_dir) &&
	       handover_is_let_in(uuid) && ui_now_ms() - began_ms < RELEASE_MS)
		poll(NULL, 0, PAUSE_MS);
	if (stands && handover_is_whole(state_dir)) {
		if (handover_is_let_in(uuid))
			return fail(err, -EAGAIN,
				    "who received it does not let go yet");
		r = handover_end(state_dir, err);
		if (r == 0)
			r = handover_arrived(state_dir, err);
	}
	json_add_bool(call->reply, "arrived", !handover_is_arriving(state_dir));
	return r;
}

/* Of this connection's domain, or one whose connection was lost. */
int serve_seed_release(struct serve *serve, struct serve_call *call,
		       struct err *err)
{
	const char *uuid;
	bool stands;
	int r;

	if (serve->seed.receiver) {
		json_add_bool(call->reply, "arrived", true);
		return receiver_release(serve->seed.receiver, err);
	}
	if (serve->only)
		return fail(err, -EACCES,
			    "this key is let in to a repository only");
	r = json_get_string(call->json, "uuid", &uuid, err);
	if (r == 0)
		r = json_get_bool(call->json, "stands", &stands, err);
	if (r == 0 && !uuid_valid(uuid))
		r = fail(err, -EPROTO, "'%s': no domain", uuid);
	return r < 0 ? r : release_other(call, uuid, stands, err);
}

int serve_seed_drop(struct serve *serve, struct serve_call *call,
		    struct err *err)
{
	/* It lingers, when the peer is gone. */
	if (serve->seed.receiver && receiver_is_needed(serve->seed.receiver))
		return 0;
	serve_drop_seed(serve);
	return 0;
}

int serve_seed_check(const struct serve *serve, struct err *err)
{
	int r = 0;

	for (size_t i = 0; i < serve->seed.nr_doors && r == 0; i++) {
		struct ship_server *server =
			receiver_server(serve->seed.receiver, i);

		if (server && !ship_server_is_running(server))
			r = ship_server_check(server, err);
	}
	return r;
}

void serve_drop_doors(struct serve *serve)
{
	for (size_t i = 0; i < serve->seed.nr_doors; i++) {
		channel_watch(serve->channel, i, -1, NULL, NULL);
		door_close(&serve->seed.doors[i].door);
	}
	serve->seed.nr_doors = 0;
}

void serve_drop_seed(struct serve *serve)
{
	serve_drop_doors(serve);
	receiver_close(TAKE_PTR(serve->seed.receiver));
}
