/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The far side: what `dsync-vm target` does at the end of an ssh connection,
 * for a backup that runs on another host.
 *
 * The peer says with its first line what the connection is for:
 *
 *	control 1     requests, over a channel (channel.h)
 *	data TOKEN    nothing but NBD, to the image that the token is for
 *
 * With a control connection goes all that is open: when it ends, or has been
 * silent for 30 s, servers are killed and locks let go; what was sent stays,
 * and is gone on with by the next run.
 */
#pragma once

struct err;

/*
 * Serves one connection on @in_fd and @out_fd. @only: the repository that may
 * be used; NULL: any that this account may write.
 */
int serve_run(const char *only, int in_fd, int out_fd, struct err *err);
