/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A repository on another host as a target: each function asks the far side,
 * where serve.c does with a target-repo.c what would be done here.  Blocks do
 * not go that way: they are sent to the far side's qemu-nbd.
 */
#include <string.h>

#include "base/bitmap.h"
#include "base/err.h"
#include "base/keep.h"
#include "job/far-command.h"
#include "job/far-ledger.h"
#include "job/far-lines.h"
#include "job/sieve.h"
#include "job/target-ops.h"
#include "repo/json.h"
#include "repo/manifest.h"
#include "repo/pending.h"

#define MAX_HEADS 4096
#define MAX_RUNS_BYTES (256u << 20)

struct target_far {
	struct target target;
	struct far *far;
};

struct target_line {
	struct far_lines lines;
	struct far_ledger known;
};

static struct far *far_of(struct target *target)
{
	return ((struct target_far *)target)->far;
}

static int call(struct target *target, struct json_object *request,
		struct err *err)
{
	return far_call(far_of(target), request, NULL, 0, 0, NULL, err);
}

/* A request about the disk of @pending. */
static struct json_object *about(const char *what,
				 const struct pending *pending)
{
	struct json_object *request = far_request(what);

	json_add_string(request, "disk", pending->disk);
	json_add_uint(request, "size_bytes", pending->size_bytes);
	json_add_uint(request, "block_bytes", pending->block_bytes);
	return request;
}

/* A string of at most @room - 1 characters. */
static int take_string(const struct json_object *json, const char *key,
		       char *to, size_t room, struct err *err)
{
	const char *value;
	int r = json_get_string(json, key, &value, err);

	if (r == 0 && (size_t)snprintf(to, room, "%s", value) >= room)
		r = fail(err, -EPROTO, "%s: too long", key);
	return r;
}

static int take_point(const struct json_object *json, const char *key, char *to,
		      struct err *err)
{
	int r = take_string(json, key, to, POINT_SIZE, err);

	if (r == 0 && *to && !point_valid(to))
		r = fail(err, -EPROTO, "%s: no name of a point", key);
	return r;
}

/* --------------------------------------------------------- opening it */

static int take_head(const struct json_object *json, struct target_head *head,
		     struct err *err)
{
	uint64_t depth;
	int r = take_string(json, "disk", head->disk, sizeof(head->disk), err);

	if (r == 0)
		r = take_point(json, "point", head->point, err);
	if (r == 0)
		r = json_get_uint(json, "size_bytes", MANIFEST_MAX_DISK_BYTES,
				  &head->size_bytes, err);
	if (r == 0)
		r = json_get_uint(json, "depth", UINT32_MAX, &depth, err);
	head->depth = r == 0 ? depth : 0;
	return r;
}

static int take_heads(struct target *target, const struct json_object *json,
		      struct err *err)
{
	const struct json_object *array, *item;
	size_t count;
	int r = json_get_array(json, "heads", MAX_HEADS, &array, &count, err);

	if (r < 0)
		return r;
	target->heads = calloc(count + 1, sizeof(*target->heads));
	if (!target->heads)
		return fail(err, -ENOMEM, "out of memory");
	for (size_t i = 0; i < count && r == 0; i++) {
		r = json_get_item(array, i, &item, err);
		if (r == 0)
			r = take_head(item, &target->heads[i], err);
		target->nr_heads += r == 0;
	}
	return r;
}

static int introduce(struct target *target, const struct target_owner *owner,
		     struct err *err)
{
	struct far *far = far_of(target);
	_cleanup_far_message_ struct far_message reply = {0};
	struct json_object *request;
	char known_id[UUID_SIZE];
	int r = target_known_id(owner->state_dir, far->location, known_id, err);

	if (r < 0)
		return r;
	request = far_request("open");
	json_add_string(request, "directory", far->uri.dir);
	json_add_string(request, "domain", owner->name);
	json_add_string(request, "uuid", owner->uuid);
	json_add_string(request, "state", owner->state_dir);
	json_add_string(request, "known_id", known_id);
	r = far_call(far, request, NULL, 0, 0, &reply, err);
	if (r < 0)
		return r;
	r = take_string(reply.json, "id", target->id, sizeof(target->id), err);
	if (r == 0 && !uuid_valid(target->id))
		r = fail(err, -EPROTO, "has no id");
	if (r == 0)
		r = take_heads(target, reply.json, err);
	return far_checked(far, r, err);
}

/* The lock over there is let go before the next run comes. */
static void close_far(struct target *target)
{
	struct target_far *to = (struct target_far *)target;

	if (to->far)
		(void)call(target, far_request("close"), NULL);
	far_close(to->far);
	free(to);
}

/* ---------------------------------------------------------------- a run */

static int find_damaged(struct target *target, const struct pending *pending,
			struct bitmap *damaged, struct err *err)
{
	_cleanup_far_message_ struct far_message reply = {0};
	int r = far_call(far_of(target), about("damaged", pending), NULL, 0,
			 MAX_RUNS_BYTES, &reply, err);

	return r < 0 ? r
		     : far_checked(far_of(target),
				   far_get_map(reply.blob, reply.blob_bytes,
					       damaged, err),
				   err);
}

static int begin(struct target *target, time_t now, struct err *err)
{
	_cleanup_far_message_ struct far_message reply = {0};
	struct json_object *request = far_request("begin");
	int r;

	json_add_uint(request, "now", now);
	r = far_call(far_of(target), request, NULL, 0, 0, &reply, err);
	return r < 0 ? r
		     : far_checked(far_of(target),
				   take_point(reply.json, "point",
					      target->point, err),
				   err);
}

static int ask_for_image(struct far *far, const struct pending *pending,
			 struct target_disk *disk, struct err *err)
{
	_cleanup_far_message_ struct far_message reply = {0};
	_cleanup_far_bytes_ struct far_bytes runs = {0};
	char backing[POINT_SIZE];
	struct json_object *request;
	size_t map_bytes;
	int r = far_put_map(&runs, pending->map, err);

	map_bytes = runs.used;
	if (r == 0)
		r = far_put_map(&runs, pending_to_send(pending), err);
	if (r < 0)
		return r;
	request = about("begin-disk", pending);
	json_add_uint(request, "map_bytes", map_bytes);
	r = far_call(far, request, runs.data, runs.used, 0, &reply, err);
	if (r < 0)
		return r;
	r = take_point(reply.json, "backing", backing, err);
	if (r == 0)
		r = json_get_bool(reply.json, "resumed", &disk->resumed, err);
	if (r == 0)
		r = take_string(reply.json, "token", disk->line->lines.token,
				sizeof(disk->line->lines.token), err);
	if (r == 0 && strcmp(backing, disk->backing) != 0)
		r = fail(err, -EPROTO,
			 "lays the new image over '%s', not over '%s'", backing,
			 disk->backing);
	return far_checked(far, r, err);
}

static int begin_disk(struct target *target, const struct pending *pending,
		      struct target_disk *disk, struct err *err)
{
	struct far *far = far_of(target);
	int r;

	disk->line = calloc(1, sizeof(*disk->line));
	if (!disk->line)
		return fail(err, -ENOMEM, "out of memory");
	disk->line->lines.far = far;
	far_ledger_init(&disk->line->known, far,
			sum_count(pending->size_bytes));
	r = ask_for_image(far, pending, disk, err);
	/* What is known of the disk before this one came too late. */
	far_forget_known(far);
	if (r == 0)
		r = sieve_new(target->id, !disk->backing[0],
			      pending->size_bytes, &disk->line->known.ledger,
			      &disk->sieve, err);
	return r < 0 ? r
		     : far_lines_open_dest(
			       &disk->line->lines,
			       bitmap_count(pending_to_send(pending)) *
				       pending->block_bytes,
			       &disk->dest, err);
}

static int open_window(struct target *target, struct target_disk *disk,
		       const struct pending *pending, uint64_t first,
		       uint64_t end, struct err *err)
{
	struct json_object *request = far_request("open-window");

	json_add_uint(request, "first", first);
	json_add_uint(request, "end", end);
	return call(target, request, err);
}

static int close_window(struct target *target, struct target_disk *disk,
			const struct pending *pending, struct err *err)
{
	int r = far_ledger_flush(&disk->line->known, err);

	return r < 0 ? r : call(target, far_request("close-window"), err);
}

static int end_disk(struct target *target, struct target_disk *disk,
		    const struct pending *pending, struct err *err)
{
	int r = far_ledger_flush(&disk->line->known, err);

	return r < 0 ? r : call(target, far_request("end-disk"), err);
}

static void drop_line(struct target_line *line)
{
	far_lines_end(&line->lines);
	far_ledger_clear(&line->known);
	free(line);
}

static int commit(struct target *target, struct manifest *manifest,
		  struct err *err)
{
	_cleanup_free_ char *text = manifest_text(manifest);

	if (!text)
		return fail(err, -ENOMEM, "out of memory");
	return far_call(far_of(target), far_request("commit"), text,
			strlen(text), 0, NULL, err);
}

static void abandon(struct target *target)
{
	(void)call(target, far_request("abandon"), NULL);
}

/*
 * A command over there, so that it ends when we do; it takes the domain's lock
 * itself. Points that are in its way stay, and it says so.
 */
static int thin_out(struct target *target, const struct keep *keep,
		    size_t *ret_removed, struct err *err)
{
	char words[KEEP_NR_RULES][40];
	const char *options[KEEP_NR_RULES + 1] = {"--quiet"};
	const char *const operands[] = {target->domain_uuid};
	const struct far_command prune = {.location = target->location,
					  .name = "prune",
					  .options = options,
					  .nr_options = KEEP_NR_RULES + 1,
					  .operands = operands,
					  .nr_operands = 1};
	enum exit_code code = EXIT_OK;
	int r = call(target, far_request("close"), err);

	for (int rule = 0; rule < KEEP_NR_RULES; rule++) {
		snprintf(words[rule], sizeof(words[rule]), "--keep-%s=%u",
			 keep_name(rule), keep->count[rule]);
		options[1 + rule] = words[rule];
	}
	if (r == 0)
		r = far_command_run_on(far_of(target), &prune, &code, err);
	if (r == 0 && code != EXIT_OK && code != EXIT_WARNINGS)
		r = fail(err, code == EXIT_BUSY ? -EBUSY : -EREMOTEIO,
			 "%s: prune ended with exit status %d",
			 target->location, code);
	return r;
}

static const struct target_ops ops = {
	.find_damaged = find_damaged,
	.begin = begin,
	.begin_disk = begin_disk,
	.open_window = open_window,
	.close_window = close_window,
	.end_disk = end_disk,
	.drop_line = drop_line,
	.commit = commit,
	.abandon = abandon,
	.thin_out = thin_out,
	.close = close_far,
};

int target_open_far(const char *spec, const struct target_owner *owner,
		    ship_cancel cancelled, struct ui *ui,
		    struct target **ret_target, struct err *err)
{
	_cleanup_target_ struct target *target = NULL;
	struct target_far *to = calloc(1, sizeof(*to));
	int r;

	if (!to)
		return fail(err, -ENOMEM, "out of memory");
	target = &to->target;
	target->ops = &ops;
	target->ui = ui;
	memcpy(target->domain_uuid, owner->uuid, UUID_SIZE);
	target->location = strdup(spec);
	if (!target->location)
		return fail(err, -ENOMEM, "out of memory");
	r = far_open(spec, cancelled, ui, &to->far, err);
	if (r == 0)
		r = introduce(target, owner, err);
	if (r == 0)
		*ret_target = TAKE_PTR(target);
	return r;
}
