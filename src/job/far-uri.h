/* SPDX-License-Identifier: GPL-2.0-or-later */
/* ssh://[user@]host[:port]/dir: a repository on another host. */
#pragma once

#include <stdbool.h>

#include "base/cleanup.h"

struct err;

struct far_uri {
	char *host; /* as ssh(1) takes it: [user@]host */
	char *port; /* NULL: ssh's own choice */
	char *dir;  /* absolute; "/": the only one that is let in there */
};

/* True if @target is meant to be one: it begins with "ssh://". */
bool far_is_uri(const char *target);

/*
 * Takes @uri apart. Nothing in it can be taken for an option of ssh(1).
 * -EINVAL. @ret_uri is freed by far_uri_clear(), also after a failure.
 */
int far_uri_parse(const char *uri, struct far_uri *ret_uri, struct err *err);
void far_uri_clear(struct far_uri *uri);
#define _cleanup_far_uri_ _cleanup_(far_uri_clear)
