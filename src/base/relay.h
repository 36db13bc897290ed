/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Bytes from here to there and back, until one side has had enough. */
#pragma once

struct err;

/*
 * What can be read from @in_fd is written to @fd, and what can be read from
 * @fd is written to @out_fd. Returns 0 when either side was closed and all
 * that came before was passed on. The descriptors stop blocking.
 */
int relay_run(int in_fd, int out_fd, int fd, struct err *err);
