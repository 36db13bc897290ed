/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A repository of this host as a target: of a backup here, or of one on
 * another host that serve.c answers to.
 */
#pragma once

#include "job/target.h"

struct catalog;
struct repo;
struct repo_domain;

struct target_repo {
	struct target target;
	struct repo *repo;
	struct repo_domain *domain; /* locked */
	struct catalog *catalog;
	char last_point[POINT_SIZE]; /* that a run began; "": none */
	ship_cancel cancelled;
};

/*
 * Opens the repository at @path, or makes one of an empty directory, unless
 * @known_id says ("" does not) which one was there at the last backup: an
 * empty directory is a disk that is not mounted then, and must not be filled
 * with a first backup. -ESTALE: it is not that one. To be closed by
 * target_close().
 */
int target_repo_open(const char *path, const struct target_owner *owner,
		     const char *known_id, ship_cancel cancelled, struct ui *ui,
		     struct target_repo **ret_repo, struct err *err);
