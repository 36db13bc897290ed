/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The door to an image's server, for the connections that carry its blocks.
 * Each of them is a process of its own, which sshd started: it knocks with the
 * token that its peer was given, and is handed a connection to the server.
 *
 * The token says where to knock, which anybody may see, and a secret, which
 * only the peer knows: who shares our account, but may only use another
 * repository, does not get in.
 */
#pragma once

#include "base/cleanup.h"

struct err;
struct ship_server;

#define DOOR_NAME_SIZE 33 /* in hexadecimal digits */

struct door {
	int fd; /* to wait at; -1: there is none */
	char name[DOOR_NAME_SIZE], secret[DOOR_NAME_SIZE];
};

#define DOOR_TOKEN_SIZE (2 * DOOR_NAME_SIZE)

/* Makes one, and what opens it. To be closed by door_close(). */
int door_open(struct door *ret_door, char ret_token[DOOR_TOKEN_SIZE],
	      struct err *err);
void door_close(struct door *door);
#define _cleanup_door_ _cleanup_(door_close)

/* Lets in who stands outside, if he may come in: he gets a connection to
 * @server. */
void door_answer(const struct door *door, const struct ship_server *server);

/* Knocks: a connection to the server that @token is for, to be closed. */
int door_enter(const char *token, struct err *err);
