/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The parts of the far side, for serve*.c alone. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/run.h"
#include "job/far-codec.h"
#include "job/far-message.h"
#include "job/point-image.h"
#include "job/reading.h"
#include "job/serve-door.h"
#include "job/target-image.h"
#include "job/ui.h"
#include "repo/pending.h"

struct json_object;

/* A disk that is being sent here. */
struct serve_disk {
	struct pending *pending; /* its size and map; NULL: there is none */
	struct target_image image;
	struct ship_server *server; /* behind the door; NULL: it is closed */
	struct door door;
	uint64_t asked_units; /* known sums were sent up to here */
	uint64_t added_units; /* and written down up to here */
	struct err failure;   /* of writing down, which has no reply */
};

/* One that was, and waits for its manifest. */
struct serve_done {
	char disk[TARGET_DISK_SIZE];
	char backing[POINT_SIZE];
	uint64_t size_bytes;
};

/* The beginning of a character that was cut in two. */
struct serve_begun {
	char bytes[3];
	size_t nr;
};

/* A command that runs here. */
#define SERVE_COMMAND_ENDS 2 /* its standard output and error */

struct serve_command {
	struct run run;
	int fd;               /* its standard input and output */
	unsigned int nr_open; /* of what it can say something on */
	struct serve_begun begun[SERVE_COMMAND_ENDS];
};

/* The way to a disk that a domain brings along. */
struct serve_door {
	struct serve *serve;
	size_t number; /* of the disk */
	struct door door;
};

struct serve_seed {
	struct receiver *receiver; /* NULL: no domain is brought here */
	struct serve_door doors[CHANNEL_MAX_WATCHES];
	size_t nr_doors;
};

struct serve {
	struct channel *channel;
	const char *only; /* repository that may be used; NULL: any */
	struct ui ui;
	struct target_repo *to; /* for a backup; NULL: none is open */
	struct reading from;    /* for a restore */
	struct point_image source;
	struct serve_disk disk;
	struct serve_command command;
	struct serve_seed seed;
	struct serve_done *done;
	size_t nr_done;
	bool committed; /* the run; there is one for each time it is opened */
};

/* A request: what it says, and what is said to it. */
struct serve_call {
	const struct json_object *json;
	const uint8_t *blob;
	size_t blob_bytes;
	struct json_object *reply;
	struct far_bytes reply_blob;
};

/* Of a function that answers a request: it will, later. */
#define SERVE_LATER 1

/* The repository that @call is about, if it may be used; or NULL. */
char *serve_path(const struct serve *serve, const struct serve_call *call,
		 struct err *err);

/* For a restore elsewhere: opens a domain's points, sends the manifest of one,
 * checks a disk's images, serves it, ends that. */
int serve_read(struct serve *serve, struct serve_call *call, struct err *err);
int serve_manifest(struct serve *serve, struct serve_call *call,
		   struct err *err);
int serve_check_image(struct serve *serve, struct serve_call *call,
		      struct err *err);
int serve_image(struct serve *serve, struct serve_call *call, struct err *err);
int serve_drop_image(struct serve *serve, struct serve_call *call,
		     struct err *err);

/* Opens the door to @server, and says in the reply with which token. */
int serve_open_door(struct serve *serve, struct ship_server *server,
		    struct serve_call *call, struct err *err);

/* Runs a command of ours. */
int serve_run_command(struct serve *serve, struct serve_call *call,
		      struct err *err);
/* Ends it, if it runs. */
void serve_drop_command(struct serve *serve);

/* A domain moves here: its disks, what its targets miss of them, what the last
 * cut froze, and the end. As receiver_*() of the same name. */
int serve_seed(struct serve *serve, struct serve_call *call, struct err *err);
int serve_seed_arm(struct serve *serve, struct serve_call *call,
		   struct err *err);
int serve_seed_hold(struct serve *serve, struct serve_call *call,
		    struct err *err);
int serve_seed_pending(struct serve *serve, struct serve_call *call,
		       struct err *err);
int serve_seed_frozen(struct serve *serve, struct serve_call *call,
		      struct err *err);
int serve_seed_finish(struct serve *serve, struct serve_call *call,
		      struct err *err);
int serve_seed_release(struct serve *serve, struct serve_call *call,
		       struct err *err);
int serve_seed_drop(struct serve *serve, struct serve_call *call,
		    struct err *err);
/* What a server that has ended said last. */
int serve_seed_check(const struct serve *serve, struct err *err);
/* Nothing more comes for its disks; gives it up, if one comes. */
void serve_drop_doors(struct serve *serve);
void serve_drop_seed(struct serve *serve);

/* As target_*() of the same name. */
int serve_damaged(struct serve *serve, struct serve_call *call,
		  struct err *err);
int serve_begin_disk(struct serve *serve, struct serve_call *call,
		     struct err *err);
int serve_open_window(struct serve *serve, struct serve_call *call,
		      struct err *err);
int serve_close_window(struct serve *serve, struct serve_call *call,
		       struct err *err);
int serve_end_disk(struct serve *serve, struct serve_call *call,
		   struct err *err);

/* Sends the next sums that are known of the disk. */
int serve_known(struct serve *serve, struct err *err);

/* Writes sums down; a failure is told with the next request. */
void serve_add(struct serve *serve, const struct frame *frame);

/* Gives up the disk that is being sent, if there is one. */
void serve_drop_disk(struct serve *serve);
