/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Where a backup goes: a repository, where each run becomes a point, or a
 * mirror, where each run changes one image in place.
 *
 *	target_open()        which target is it, which is its newest point?
 *	target_begin_disk()  a destination to ship to
 *	target_end_disk()    it is durable, but does not count yet
 *	target_commit()      now it does
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#include "base/cleanup.h"
#include "base/uuid.h"
#include "repo/catalog.h"
#include "repo/domain.h"
#include "repo/manifest.h"
#include "repo/pending.h"
#include "repo/repo.h"
#include "ship/server.h"
#include "ship/ship.h"

struct err;
struct session;
struct ui;

struct target {
	char *location; /* path or URI, for messages */
	char id[UUID_SIZE];
	char point[POINT_SIZE]; /* of this run, after target_begin() */
	bool is_mirror;
	struct repo *repo; /* repository only, as all below */
	struct repo_domain *domain;
	struct catalog *catalog;
};

/* One disk on its way to a target. All zero before target_begin_disk(). */
struct target_disk {
	const char *disk;         /* vda */
	char backing[POINT_SIZE]; /* point it overlays, "": none */
	bool is_zero;             /* what is not shipped reads as zeroes */
	struct ship_server *server;
	struct ship_dest *dest;
};

/*
 * Opens the target @spec for the domain of @session: an NBD URI or the path of
 * a repository. What earlier runs left half done there is removed.
 */
int target_open(const char *spec, const struct session *session,
		struct target **ret_target, struct ui *ui, struct err *err);
void target_close(struct target *target);
DEFINE_CLEANUP(struct target *, target_close);
#define _cleanup_target_ _cleanup_(cleanup_target_close)

/* The newest point the target has of @disk; "": it has none or is a mirror. */
const char *target_newest(const struct target *target, const char *disk);

/*
 * True if the target is where @pending says that our last run left it, so
 * that shipping what is pending brings it up to date. A newest point that was
 * committed but whose acknowledgement was lost is one of ours too.
 */
bool target_is_paired(const struct target *target,
		      const struct pending *pending);

/* Names the point of this run, cut at @now. */
int target_begin(struct target *target, time_t now, struct err *err);

/* A destination for @disk of @size_bytes. Ended by target_end_disk(). */
int target_begin_disk(struct target *target, const char *disk,
		      uint64_t size_bytes, ship_cancel cancelled,
		      struct target_disk *ret_disk, struct err *err);

/* Closes and makes durable what was shipped. */
int target_end_disk(struct target *target, struct target_disk *disk,
		    struct err *err);

/* Closes without any promise: for the way out after a failure. */
void target_drop_disk(struct target_disk *disk);
#define _cleanup_target_disk_ _cleanup_(target_drop_disk)

/* Commits the run; @manifest is all it says of itself. */
int target_commit(struct target *target, struct manifest *manifest,
		  struct err *err);

/* Removes what this run shipped without committing it. */
void target_abandon(struct target *target);
