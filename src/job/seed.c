/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One connection for questions, which lasts as long as the move does. */
#include "job/seed.h"

#include <stdio.h>
#include <string.h>

#include "base/bitmap.h"
#include "base/err.h"
#include "base/io.h"
#include "job/far-codec.h"
#include "job/far.h"
#include "job/ui.h"
#include "repo/json.h"
#include "repo/mirror.h"

#define SCHEME "qemu+ssh://"
#define MAX_DISKS CHANNEL_MAX_WATCHES /* of a receiver */
#define MEASURE_BYTES (16u << 20)

struct disk {
	const char *name, *device;
	bool created, trusted, block, replace;
	char token[FAR_TOKEN_SIZE];
};

struct seed {
	struct far *far;
	const char *uri;
	char *memory_uri;
	char id[UUID_SIZE];
	struct disk *disks;
	size_t nr_disks;
	unsigned int nr_passes;
};

bool seed_is_uri(const char *uri)
{
	return strncmp(uri, SCHEME, strlen(SCHEME)) == 0;
}

void seed_close(struct seed *seed)
{
	if (!seed)
		return;
	if (seed->far)
		(void)far_call(seed->far, far_request("seed-drop"), NULL, 0, 0,
			       NULL, NULL);
	far_close(seed->far);
	free(seed->memory_uri);
	free(seed->disks);
	free(seed);
}

/* ---------------------------------------------------------------- opening */

/* ssh://[user@]host[:port]/ of @uri. */
static char *ssh_location(const char *uri)
{
	const char *host = uri + strlen(SCHEME);

	return io_format("ssh://%.*s/", (int)strcspn(host, "/?"), host);
}

/* libvirt wants the brackets of an address that ssh does not. */
static int make_memory_uri(struct seed *seed, struct err *err)
{
	const char *at = strrchr(seed->far->uri.host, '@');
	const char *host = at ? at + 1 : seed->far->uri.host;
	bool is_v6 = strchr(host, ':');

	seed->memory_uri = io_format("tcp://%s%s%s", is_v6 ? "[" : "", host,
				     is_v6 ? "]" : "");
	return seed->memory_uri ? 0 : fail(err, -ENOMEM, "out of memory");
}

static struct json_object *describe(const struct seed_domain *domain)
{
	struct json_object *request = far_request("seed");
	struct json_object *disks = json_add_array(request, "disks");

	json_add_string(request, "domain", domain->name);
	json_add_string(request, "uuid", domain->uuid);
	json_add_bool(request, "look_only", domain->look_only);
	for (size_t i = 0; i < domain->nr_disks; i++) {
		const struct seed_disk *disk = &domain->disks[i];
		struct json_object *item = json_append_object(disks);

		json_add_string(item, "disk", disk->disk);
		json_add_string(item, "name", disk->name);
		json_add_string(item, "path", disk->path);
		json_add_uint(item, "size_bytes", disk->size_bytes);
		json_add_bool(item, "create", disk->create);
		json_add_bool(item, "overwrite", disk->overwrite);
	}
	return request;
}

static int take_disk(const struct json_object *json, struct disk *disk,
		     struct err *err)
{
	const char *token;
	int r = json_get_string(json, "token", &token, err);

	if (r == 0)
		r = json_get_bool(json, "created", &disk->created, err);
	if (r == 0)
		r = json_get_bool(json, "trusted", &disk->trusted, err);
	if (r == 0)
		r = json_get_bool(json, "block", &disk->block, err);
	if (r == 0 && (size_t)snprintf(disk->token, sizeof(disk->token), "%s",
				       token) >= sizeof(disk->token))
		r = fail(err, -EPROTO, "token: too long");
	return r;
}

static int take_disks(struct seed *seed, const struct json_object *json,
		      struct err *err)
{
	const struct json_object *array, *item;
	size_t count;
	int r = json_get_array(json, "disks", seed->nr_disks, &array, &count,
			       err);

	if (r == 0 && count != seed->nr_disks)
		r = fail(err, -EPROTO, "answers with other disks");
	for (size_t i = 0; r == 0 && i < count; i++) {
		r = json_get_item(array, i, &item, err);
		if (r == 0)
			r = take_disk(item, &seed->disks[i], err);
	}
	return r;
}

static int introduce(struct seed *seed, const struct seed_domain *domain,
		     struct err *err)
{
	_cleanup_far_message_ struct far_message reply = {0};
	int r;

	if (domain->nr_disks > MAX_DISKS)
		return fail(err, -EOPNOTSUPP,
			    "%s: has more disks than the %d that can be moved",
			    domain->name, MAX_DISKS);
	seed->disks = calloc(domain->nr_disks, sizeof(*seed->disks));
	if (!seed->disks)
		return fail(err, -ENOMEM, "out of memory");
	seed->nr_disks = domain->nr_disks;
	for (size_t i = 0; i < domain->nr_disks; i++) {
		seed->disks[i].name = domain->disks[i].disk;
		seed->disks[i].device = domain->disks[i].name;
		seed->disks[i].replace = domain->disks[i].replace;
	}
	r = far_call(seed->far, describe(domain), NULL, 0, 0, &reply, err);
	return r < 0 ? r
		     : far_checked(seed->far, take_disks(seed, reply.json, err),
				   err);
}

int seed_open(const char *uri, const struct seed_domain *domain,
	      ship_cancel cancelled, struct seed **ret_seed, struct ui *ui,
	      struct err *err)
{
	_cleanup_free_ char *location = ssh_location(uri);
	_cleanup_seed_ struct seed *seed = calloc(1, sizeof(*seed));
	int r;

	if (!seed || !location)
		return fail(err, -ENOMEM, "out of memory");
	seed->uri = uri;
	seed_id(uri, domain->disks, domain->nr_disks, seed->id);
	r = far_open(location, cancelled, ui, &seed->far, err);
	if (r == 0)
		r = make_memory_uri(seed, err);
	if (r == 0)
		r = introduce(seed, domain, err);
	if (r == 0)
		*ret_seed = TAKE_PTR(seed);
	return r;
}

/* ------------------------------------------------------------------ asking */

const char *seed_uri(const struct seed *seed)
{
	return seed->uri;
}

const char *seed_memory_uri(const struct seed *seed)
{
	return seed->memory_uri;
}

uint32_t seed_round_trip_ms(const struct seed *seed)
{
	return seed->far->round_trip_ms;
}

void seed_id(const char *uri, const struct seed_disk disks[], size_t nr_disks,
	     char ret_id[UUID_SIZE])
{
	_cleanup_free_ char *text = NULL;
	_cleanup_fclose_ FILE *file = NULL;
	size_t size_bytes;

	file = open_memstream(&text, &size_bytes);
	if (!file) {
		mirror_id(uri, ret_id);
		return;
	}
	fprintf(file, "%s", uri);
	for (size_t i = 0; i < nr_disks; i++)
		fprintf(file, "\n%s=%s", disks[i].disk, disks[i].path);
	fflush(file);
	mirror_id(text, ret_id);
}

const char *seed_target_id(const struct seed *seed)
{
	return seed->id;
}

/* NULL: it is none of those that were asked for. */
static const struct disk *find_disk(const struct seed *seed, const char *disk)
{
	for (size_t i = 0; i < seed->nr_disks; i++)
		if (strcmp(seed->disks[i].name, disk) == 0)
			return &seed->disks[i];
	return NULL;
}

static int unknown(const struct seed *seed, const char *disk, struct err *err)
{
	return fail(err, -EAGAIN,
		    "%s: was not there when this began; run the same command "
		    "again",
		    disk);
}

bool seed_may_overwrite(const struct seed *seed, const char *disk)
{
	const struct disk *known = find_disk(seed, disk);

	return known && (known->created || known->replace);
}

bool seed_has_created(const struct seed *seed, const char *disk)
{
	const struct disk *known = find_disk(seed, disk);

	return known && known->created;
}

const char *seed_device(const struct seed *seed, const char *disk)
{
	return find_disk(seed, disk)->device;
}

bool seed_is_trusted(const struct seed *seed, const char *disk)
{
	const struct disk *known = find_disk(seed, disk);

	return known && known->trusted;
}

bool seed_is_block(const struct seed *seed, const char *disk)
{
	const struct disk *known = find_disk(seed, disk);

	return known && known->block;
}

static int aim(struct seed *seed, const char *disk, struct far_lines *lines,
	       struct err *err)
{
	const struct disk *known = find_disk(seed, disk);

	if (!known)
		return unknown(seed, disk, err);
	lines->far = seed->far;
	memcpy(lines->token, known->token, sizeof(lines->token));
	return 0;
}

int seed_open_dest(struct seed *seed, const char *disk, uint64_t size_bytes,
		   struct far_lines *lines, struct ship_dest **ret_dest,
		   struct err *err)
{
	int r = aim(seed, disk, lines, err);

	return r < 0 ? r
		     : far_lines_open_dest(lines, size_bytes, ret_dest, err);
}

int seed_open_source(struct seed *seed, const char *disk,
		     struct far_lines *lines, struct ship_source **ret_source,
		     struct err *err)
{
	int r = aim(seed, disk, lines, err);

	return r < 0 ? r : far_lines_open_source(lines, 0, ret_source, err);
}

/* ----------------------------------------------------------- handing over */

static int call(struct seed *seed, struct json_object *request,
		const void *blob, size_t blob_bytes, struct err *err)
{
	return far_call(seed->far, request, blob, blob_bytes, 0, NULL, err);
}

/* A disk of ours: it was connected to. */
static struct json_object *about(const struct seed *seed, const char *what,
				 const char *disk)
{
	struct json_object *request = far_request(what);

	json_add_uint(request, "number", find_disk(seed, disk) - seed->disks);
	return request;
}

int seed_ping(struct seed *seed, struct err *err)
{
	return call(seed, far_request("ping"), NULL, 0, err);
}

int seed_measure(struct seed *seed, uint64_t *ret_bytes_per_s, struct err *err)
{
	_cleanup_free_ void *blob = calloc(1, MEASURE_BYTES);
	uint64_t began_ms = ui_now_ms(), spent_ms;
	int r = blob ? call(seed, far_request("ping"), blob, MEASURE_BYTES, err)
		     : fail(err, -ENOMEM, "out of memory");

	spent_ms = ui_now_ms() - began_ms;
	*ret_bytes_per_s =
		(uint64_t)MEASURE_BYTES * 1000 / (spent_ms ? spent_ms : 1);
	return r;
}

bool seed_begin_pass(struct seed *seed)
{
	return seed->nr_passes++ == 0;
}

int seed_arm(struct seed *seed, bool live, struct err *err)
{
	struct json_object *request = far_request("seed-arm");

	json_add_bool(request, "live", live);
	return call(seed, request, NULL, 0, err);
}

int seed_hold(struct seed *seed, struct err *err)
{
	return call(seed, far_request("seed-hold"), NULL, 0, err);
}

int seed_send_pending(struct seed *seed, const char *disk, const char *repo_id,
		      const void *content, size_t size_bytes, struct err *err)
{
	struct json_object *request = about(seed, "seed-pending", disk);

	json_add_string(request, "repository", repo_id);
	return call(seed, request, content, size_bytes, err);
}

int seed_send_frozen(struct seed *seed, const char *disk, const char *before,
		     const struct bitmap *frozen, struct err *err)
{
	_cleanup_far_bytes_ struct far_bytes runs = {0};
	struct json_object *request;
	int r = far_put_map(&runs, frozen, err);

	if (r < 0)
		return r;
	request = about(seed, "seed-frozen", disk);
	json_add_string(request, "before", before);
	json_add_uint(request, "nr_blocks", frozen->nr_blocks);
	return call(seed, request, runs.data, runs.used, err);
}

int seed_finish(struct seed *seed, const char *xml, struct err *err)
{
	return call(seed, far_request("seed-finish"), xml, strlen(xml), err);
}

int seed_let_go(struct seed *seed, struct err *err)
{
	return call(seed, far_request("seed-release"), NULL, 0, err);
}

int seed_release(const char *uri, const char *domain_uuid, bool stands,
		 bool *ret_arrived, struct ui *ui, struct err *err)
{
	_cleanup_far_message_ struct far_message reply = {0};
	_cleanup_free_ char *location = ssh_location(uri);
	_cleanup_far_ struct far *far = NULL;
	struct json_object *request;
	int r = location ? far_open(location, NULL, ui, &far, err)
			 : fail(err, -ENOMEM, "out of memory");

	if (r < 0)
		return r;
	request = far_request("seed-release");
	json_add_string(request, "uuid", domain_uuid);
	json_add_bool(request, "stands", stands);
	r = far_call(far, request, NULL, 0, 0, &reply, err);
	return r < 0 ? r
		     : far_checked(far,
				   json_get_bool(reply.json, "arrived",
						 ret_arrived, err),
				   err);
}
