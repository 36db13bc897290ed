/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A repository: a directory whose dsync-repo.json says that it is one, and
 * which.  The id, not the path, is what a source's bookkeeping is paired
 * with: a disk that is mounted elsewhere is the same repository, another disk
 * mounted at the same place is not.
 *
 *	REPO/dsync-repo.json                       {"format": 1, "id": uuid}
 *	REPO/DOMAIN/.lock                          see domain.h
 *	REPO/DOMAIN/points/<point>.json            see manifest.h
 *	REPO/DOMAIN/disks/<target>/<point>.qcow2   see image.h
 *
 * Only an empty directory becomes a repository.  A backup disk that is not
 * mounted leaves an empty directory too: the caller is told when one was made
 * and compares with what he knows (pending_targets()).
 */
#pragma once

#include <stdbool.h>

#include "base/cleanup.h"
#include "base/uuid.h"

struct err;

struct repo {
	char *path; /* absolute, symlinks resolved */
	char id[UUID_SIZE];
};

/* Opens an existing repository. @ret_repo is freed by repo_close(). */
int repo_open(const char *path, struct repo **ret_repo, struct err *err);

/*
 * The same for a backup: an empty directory (lost+found does not count) is
 * made a repository with a new id, and @ret_created says so.
 */
int repo_open_or_create(const char *path, struct repo **ret_repo,
			bool *ret_created, struct err *err);

void repo_close(struct repo *repo);
DEFINE_CLEANUP(struct repo *, repo_close);
#define _cleanup_repo_ _cleanup_(cleanup_repo_close)
