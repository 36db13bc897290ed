/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Requests are answered one after the other.  Each does with the repository
 * what a run on this host would do, so that there is one way to do it; and
 * each checks what it is told, because the peer is another host.
 */
#include "job/serve.h"

#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#include "base/io.h"
#include "base/relay.h"
#include "job/interrupt.h"
#include "job/receiver.h"
#include "job/serve-parts.h"
#include "job/target-repo.h"
#include "repo/json.h"
#include "repo/manifest.h"
#include "ship/server.h"

#define LINE_BYTES 200
#define MAX_BLOB_BYTES (256u << 20) /* a manifest, a set of blocks */
#define PATIENCE_MS (CHANNEL_SILENCE_MS + 5000)
#define PAUSE_MS 100

/* ------------------------------------------------------------- requests */

/* Whether all is well: of a server that has ended, what it said last. */
static int ping(struct serve *serve, struct serve_call *call, struct err *err)
{
	const struct ship_server *server = serve->disk.server;

	if (server && !ship_server_is_running(server))
		return ship_server_check(serve->disk.server, err);
	return serve_seed_check(serve, err);
}

/* The repository that may be used, if it is the one that is asked for; "/"
 * means whatever it is. */
static char *allowed_path(const struct serve *serve, const char *asked,
			  struct err *err)
{
	_cleanup_free_ char *only = realpath(serve->only, NULL);
	_cleanup_free_ char *wanted = realpath(asked, NULL);

	if (!only) {
		fail_errno(err, -errno, "%s", serve->only);
		return NULL;
	}
	if (strcmp(asked, "/") != 0 && (!wanted || strcmp(wanted, only) != 0)) {
		fail(err, -EACCES, "%s may not be used, only %s", asked, only);
		return NULL;
	}
	return TAKE_PTR(only);
}

char *serve_path(const struct serve *serve, const struct serve_call *call,
		 struct err *err)
{
	const char *asked;
	char *path;

	if (json_get_string(call->json, "directory", &asked, err) < 0)
		return NULL;
	if (asked[0] != '/' || (!serve->only && !asked[1])) {
		fail(err, -EINVAL, "'%s': which directory is it?", asked);
		return NULL;
	}
	if (serve->only)
		return allowed_path(serve, asked, err);
	path = strdup(asked);
	if (!path)
		fail(err, -ENOMEM, "out of memory");
	return path;
}

/* The connection before this one may not have noticed yet that it is over. */
static int open_patiently(struct serve *serve, const char *path,
			  const struct target_owner *owner,
			  const char *known_id, struct err *err)
{
	uint64_t began_ms = ui_now_ms();
	struct err why = {0};
	int r;

	while ((r = target_repo_open(path, owner, known_id, NULL, &serve->ui,
				     &serve->to, &why)) == -EBUSY &&
	       ui_now_ms() - began_ms < PATIENCE_MS) {
		poll(NULL, 0, PAUSE_MS);
		err_clear(&why);
	}
	return r < 0 ? fail(err, r, "%s", why.text) : 0;
}

static void describe_heads(const struct target *target,
			   struct json_object *reply)
{
	struct json_object *heads = json_add_array(reply, "heads");

	json_add_string(reply, "id", target->id);
	for (size_t i = 0; i < target->nr_heads; i++) {
		const struct target_head *head = &target->heads[i];
		struct json_object *item = json_append_object(heads);

		json_add_string(item, "disk", head->disk);
		json_add_string(item, "point", head->point);
		json_add_uint(item, "size_bytes", head->size_bytes);
		json_add_uint(item, "depth", head->depth);
	}
}

static int open_target(struct serve *serve, struct serve_call *call,
		       struct err *err)
{
	const char *known_id = NULL;
	struct target_owner owner = {0};
	_cleanup_free_ char *path = NULL;
	int r = json_get_string(call->json, "domain", &owner.name, err);

	if (r == 0)
		r = json_get_string(call->json, "uuid", &owner.uuid, err);
	if (r == 0)
		r = json_get_string(call->json, "state", &owner.state_dir, err);
	if (r == 0)
		r = json_get_string(call->json, "known_id", &known_id, err);
	if (r < 0)
		return r;
	if (serve->to || serve->from.repo || !uuid_valid(owner.uuid))
		return fail(err, -EPROTO, "out of turn");
	path = serve_path(serve, call, err);
	if (!path)
		return err->code;
	r = open_patiently(serve, path, &owner, known_id, err);
	if (r == 0)
		describe_heads(&serve->to->target, call->reply);
	return r;
}

static int begin(struct serve *serve, struct serve_call *call, struct err *err)
{
	struct target *target = &serve->to->target;
	uint64_t now;
	int r = json_get_uint(call->json, "now", UINT32_MAX, &now, err);

	if (r == 0 && (serve->committed || serve->disk.pending))
		r = fail(err, -EPROTO, "out of turn");
	if (r == 0)
		r = target_begin(target, now, err);
	if (r == 0)
		json_add_string(call->reply, "point", target->point);
	serve->nr_done = 0;
	return r;
}

static bool is_done(const struct serve *serve, const struct manifest_disk *disk)
{
	for (size_t i = 0; i < serve->nr_done; i++) {
		const struct serve_done *done = &serve->done[i];

		if (strcmp(done->disk, disk->target) == 0)
			return done->size_bytes == disk->size_bytes &&
			       strcmp(done->backing, disk->backing) == 0;
	}
	return false;
}

/* A manifest speaks of what was sent, and of the domain that it is for. */
static int check_manifest(const struct serve *serve,
			  const struct manifest *manifest, struct err *err)
{
	const struct target *target = &serve->to->target;

	for (size_t i = 0; i < manifest->nr_disks; i++)
		if (!is_done(serve, &manifest->disks[i]))
			return fail(err, -EPROTO,
				    "the manifest speaks of %s, which was not "
				    "sent so",
				    manifest->disks[i].target);
	if (!manifest->nr_disks || manifest->nr_disks != serve->nr_done ||
	    serve->disk.pending ||
	    strcmp(manifest->domain_uuid, target->domain_uuid) != 0)
		return fail(err, -EPROTO, "the manifest is not of this run");
	return 0;
}

static int commit(struct serve *serve, struct serve_call *call, struct err *err)
{
	_cleanup_manifest_ struct manifest *manifest = NULL;
	struct target *target = &serve->to->target;
	int r;

	if (!target->point[0])
		return fail(err, -EPROTO, "out of turn");
	r = manifest_parse((const char *)call->blob, call->blob_bytes,
			   target->point, &manifest, err);
	if (r == 0)
		r = check_manifest(serve, manifest, err);
	/* Also if it fails: it may have come to be. */
	serve->committed = r == 0;
	return r < 0 ? r : target_commit(target, manifest, err);
}

static int give_up(struct serve *serve, struct serve_call *call,
		   struct err *err)
{
	struct err why = {0};

	if (serve->disk.server &&
	    ship_server_check(serve->disk.server, &why) < 0)
		ui_warn(&serve->ui, "%s", why.text);
	serve_drop_disk(serve);
	target_abandon(&serve->to->target);
	/* What was done of it is not any more. */
	serve->to->target.point[0] = '\0';
	serve->nr_done = 0;
	return 0;
}

static int close_target(struct serve *serve, struct serve_call *call,
			struct err *err)
{
	serve_drop_disk(serve);
	target_close(&TAKE_PTR(serve->to)->target);
	serve->committed = false;
	return 0;
}

/* Why blocks do not get through: what the server has to say. */
static int why(struct serve *serve, struct serve_call *call, struct err *err)
{
	return serve->disk.server ? ship_server_check(serve->disk.server, err)
				  : serve_seed_check(serve, err);
}

static const struct request {
	const char *name;
	bool needs_target;
	int (*answer)(struct serve *serve, struct serve_call *call,
		      struct err *err);
} requests[] = {
	{"ping", false, ping},
	{"why", false, why},
	{"open", false, open_target},
	{"damaged", true, serve_damaged},
	{"begin", true, begin},
	{"begin-disk", true, serve_begin_disk},
	{"open-window", true, serve_open_window},
	{"close-window", true, serve_close_window},
	{"end-disk", true, serve_end_disk},
	{"commit", true, commit},
	{"abandon", true, give_up},
	{"close", true, close_target},
	{"run", false, serve_run_command},
	{"read", false, serve_read},
	{"manifest", false, serve_manifest},
	{"check-image", false, serve_check_image},
	{"serve-image", false, serve_image},
	{"drop-image", false, serve_drop_image},
	{"seed", false, serve_seed},
	{"seed-arm", false, serve_seed_arm},
	{"seed-hold", false, serve_seed_hold},
	{"seed-pending", false, serve_seed_pending},
	{"seed-frozen", false, serve_seed_frozen},
	{"seed-finish", false, serve_seed_finish},
	{"seed-release", false, serve_seed_release},
	{"seed-drop", false, serve_seed_drop},
};

/* -------------------------------------------------------------- the loop */

static int dispatch(struct serve *serve, struct serve_call *call,
		    struct err *err)
{
	const char *what;
	int r = json_get_string(call->json, "do", &what, err);

	if (r < 0)
		return r;
	for (size_t i = 0; i < sizeof(requests) / sizeof(*requests); i++) {
		if (strcmp(requests[i].name, what) != 0)
			continue;
		if (requests[i].needs_target && !serve->to)
			return fail(err, -EPROTO, "out of turn");
		return requests[i].answer(serve, call, err);
	}
	return fail(err, -EPROTO, "'%s': no such request", what);
}

static int answer(struct serve *serve, const struct frame *frame,
		  struct err *err)
{
	_cleanup_far_message_ struct far_message request = {0};
	struct serve_call call = {0};
	struct err failure = {0};
	int r = far_message_take(serve->channel, frame, MAX_BLOB_BYTES,
				 &request, err);

	if (r < 0)
		return r;
	call.json = request.json;
	call.blob = request.blob;
	call.blob_bytes = request.blob_bytes;
	call.reply = json_new();
	r = dispatch(serve, &call, &failure);
	if (r) {
		json_free(TAKE_PTR(call.reply));
		call.reply_blob.used = 0;
	}
	if (r < 0)
		call.reply = far_message_error(&failure);
	r = r == SERVE_LATER
		    ? 0
		    : far_message_send(serve->channel, FRAME_REPLY, call.reply,
				       call.reply_blob.data,
				       call.reply_blob.used, err);
	far_bytes_clear(&call.reply_blob);
	return r;
}

static int take(struct serve *serve, const struct frame *frame, struct err *err)
{
	switch (frame->type) {
	case FRAME_REQUEST:
		return answer(serve, frame, err);
	case FRAME_ASK:
		return serve_known(serve, err);
	case FRAME_ADD:
		serve_add(serve, frame);
		return 0;
	default:
		return fail(err, -EPROTO, "the peer speaks nonsense");
	}
}

/* What there is to say is said over there. */
static void pass_on(void *opaque, bool is_warning, const char *text)
{
	struct serve *serve = opaque;

	(void)channel_send(serve->channel,
			   is_warning ? FRAME_WARNING : FRAME_NOTE, text,
			   strlen(text), NULL);
}

/* The peer is to notice, whatever there is left to do here: it may have a guest
 * that stands. */
static void hang_up(struct serve *serve, int in_fd, int out_fd)
{
	int nothing = open("/dev/null", O_RDWR | O_CLOEXEC);

	serve_drop_command(serve);
	serve_drop_disk(serve);
	serve_drop_doors(serve);
	serve->ui = (struct ui){.quiet = true};
	channel_close(TAKE_PTR(serve->channel));
	if (nothing < 0)
		return;
	dup2(nothing, in_fd);
	dup2(nothing, out_fd);
	dup2(nothing, STDERR_FILENO);
	close(nothing);
}

static int serve_control(const char *only, int in_fd, int out_fd,
			 struct err *err)
{
	struct serve serve = {.only = only,
			      .disk = {.door = {.fd = -1}},
			      .command = {.fd = -1}};
	char greeting[LINE_BYTES];
	struct err why = {0};
	struct frame frame;
	int r;

	snprintf(greeting, sizeof(greeting), "dsync-vm target %u %s\n",
		 FAR_PROTOCOL, VERSION);
	r = io_write_full(out_fd, greeting, strlen(greeting));
	if (r < 0)
		return fail_errno(err, r, "standard output");
	r = channel_open(in_fd, out_fd, "peer", interrupt_catch(),
			 &serve.channel, &why);
	serve.ui = (struct ui){.say = pass_on, .opaque = &serve};
	while (r == 0 &&
	       (r = channel_receive(serve.channel, &frame, &why)) == 0)
		r = take(&serve, &frame, &why);
	hang_up(&serve, in_fd, out_fd);
	if (serve.seed.receiver)
		receiver_linger(serve.seed.receiver);
	serve_drop_seed(&serve);
	if (serve.to)
		target_close(&serve.to->target);
	reading_close(&serve.from);
	free(serve.done);
	/* That the peer has had enough is no failure. */
	return r == -ENODATA ? 0 : fail(err, r, "%s", why.text);
}

static int serve_data(const char *token, int in_fd, int out_fd, struct err *err)
{
	_cleanup_close_ int fd = door_enter(token, err);

	return fd < 0 ? fd : relay_run(in_fd, out_fd, fd, err);
}

/* Byte by byte: what is behind the line is not ours to read. */
static int read_line(int fd, char line[LINE_BYTES], struct err *err)
{
	size_t n = 0;
	int r;

	while (n + 1 < LINE_BYTES) {
		r = io_read_full(fd, line + n, 1);
		if (r < 0)
			return fail_errno(err, r, "standard input");
		if (line[n] == '\n')
			break;
		n++;
	}
	line[n] = '\0';
	return 0;
}

int serve_run(const char *only, int in_fd, int out_fd, struct err *err)
{
	char line[LINE_BYTES];
	unsigned int protocol;
	int r = read_line(in_fd, line, err);

	if (r < 0)
		return r;
	if (sscanf(line, "control %u", &protocol) == 1)
		return serve_control(only, in_fd, out_fd, err);
	if (strncmp(line, "data ", 5) == 0)
		return serve_data(line + 5, in_fd, out_fd, err);
	return fail(err, -EPROTO,
		    "is not to be run by hand: a backup to ssh:// does");
}
