/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * qemu-nbd over an image of this host, for our use only: the way to read and
 * write every format that QEMU knows.
 */
#pragma once

#include <stdbool.h>

#include "base/cleanup.h"
#include "ship/ship.h"

struct err;
struct ship_server;

struct ship_image {
	const char *path;    /* file or block device */
	const char *format;  /* "raw", "qcow2", ...: never guessed */
	const char *options; /* "json:{...}", how to open it; NULL: as it is */
	bool read_only;
	bool direct; /* past the page cache, which a guest may look at beside */
};

/*
 * Starts a server over @image. It ends with ship_server_stop(), or by itself
 * when this process dies, however that happens; it leaves nothing behind in
 * the file system. An image that cannot be opened shows at the first
 * connection.
 */
int ship_server_start(const struct ship_image *image,
		      struct ship_server **ret_server, struct err *err);

/*
 * The same for other programs too, on the socket @socket_path, which must not
 * be there yet and goes with the server.
 */
int ship_server_start_at(const struct ship_image *image,
			 const char *socket_path,
			 struct ship_server **ret_server, struct err *err);

/* False once it has ended by itself. */
bool ship_server_is_running(const struct ship_server *server);

/* 0 if it runs; else what it said last: -EBUSY if another process holds the
 * image. */
int ship_server_check(struct ship_server *server, struct err *err);

/* Valid in this process only, as long as @server lives. */
const char *ship_server_uri(const struct ship_server *server);

/*
 * ship_dest_open() and ship_source_open_nbd() of the server's export. If the
 * server has given up, the error is its own last line; -EBUSY if another
 * process holds the image.
 */
int ship_server_open_dest(struct ship_server *server, ship_cancel cancelled,
			  struct ship_dest **ret_dest, struct err *err);
int ship_server_open_source(struct ship_server *server, ship_cancel cancelled,
			    struct ship_source **ret_source, struct err *err);

/* A connection to it, for who speaks NBD himself: a socket that does not block,
 * to be closed. -EAGAIN: too many others wait for one. */
int ship_server_connect(const struct ship_server *server, struct err *err);

/*
 * Ends it cleanly, after its connections were closed; fails with its last line
 * if it had failed, with -ETIMEDOUT (and kills it) if it does not end within
 * two minutes. @server is freed in any case.
 */
int ship_server_stop(struct ship_server *server, struct err *err);

/* Ends it at once: for the way out after a failure. */
void ship_server_kill(struct ship_server *server);
DEFINE_CLEANUP(struct ship_server *, ship_server_kill);
#define _cleanup_server_ _cleanup_(cleanup_ship_server_kill)
