/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a target still misses of a disk.  The kernel keeps one dirty set per
 * disk; at each cut its frozen set is ORed into the pending set of *every*
 * target of that disk, durably, so that a run for one target takes nothing
 * away from another.
 *
 *	STATE_DIR/pending/<repo id>/<disk>	STATE_DIR:
 * /var/lib/dsync-vm/<uuid>
 *
 * One file holds the ids and the bitmap: they can not disagree.  It is replaced
 * by rename, in either direction, and carries a checksum.
 *
 * A set that cannot be trusted is full, never empty and never an error: the
 * file is missing, damaged, of another disk size, or the epoch up to which it
 * was kept is not the one at which the frozen set began (then somebody took
 * a cut and did not tell).  The reason is kept until the target was brought up
 * to date, for the report and for exit code 4.
 *
 * A long run takes several cuts (see job/backup.c).  What it has sent stays in
 * its set until the point is there; how far it got says a second set in the
 *same file, which gets every later cut's changes just as the first one does. It
 * means nothing to anybody but that run.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bitmap.h"
#include "base/cleanup.h"
#include "base/uuid.h"
#include "repo/point.h"
#include "repo/tail.h"

struct err;

enum pending_reason {
	PENDING_TRACKED, /* the set is exactly what was recorded */
	/* All of these: everything is pending. */
	PENDING_NEW,     /* nothing was ever shipped */
	PENDING_GAP,     /* a cut was taken that this target missed */
	PENDING_DAMAGED, /* the file cannot be read */
	PENDING_RESIZED, /* the disk shrank or its block size changed */
	PENDING_FOREIGN, /* the target holds something else */
	PENDING_TRACKER, /* another tracker than the one that watched */
};

struct pending {
	char repo_id[UUID_SIZE];
	char domain_uuid[UUID_SIZE];
	char tracker[UUID_SIZE];  /* whose epochs these are; "": unknown */
	char newest[POINT_SIZE];  /* last one we committed; "": none */
	char epoch[UUID_SIZE];    /* frozen sets are merged up to it; "" */
	char previous[UUID_SIZE]; /* the epoch before; back after an abort */
	char attempt[POINT_SIZE]; /* what the last run would commit; "" */
	char *disk;               /* vda */
	char *location;           /* of the target, for messages; may be "" */
	enum pending_reason reason;
	uint64_t size_bytes; /* of the disk */
	uint32_t block_bytes;
	struct bitmap *map;
	char run[UUID_SIZE];    /* that is under way, or was; "": none */
	struct bitmap *to_send; /* of ->map what is left to it; NULL: no run */
	struct tail tail;       /* of a mirror; else empty */
};

/* Which disk of which domain, and how large it is now. */
struct pending_disk {
	const char *state_dir;
	const char *domain_uuid;
	const char *disk;
	uint64_t size_bytes;
	uint32_t block_bytes;
	const char *tracker; /* uuid of what tracks it; NULL or "": unknown */
};

/*
 * Reads the set that the target @repo_id has of @disk, adapted to the disk's
 * present size: new blocks are pending. A set that another tracker's changes
 * were merged into is full: epochs of two trackers have nothing to do with
 * each other, but disks that were cut together share them. Fails only where
 * storing would fail as well (permission, memory). @ret_pending is freed by
 * pending_free().
 */
int pending_load(const struct pending_disk *disk, const char *repo_id,
		 struct pending **ret_pending, struct err *err);

/*
 * The set as it was stored, for a disk whose present size is not known. NULL:
 * there is none, or it cannot be read. To be freed by pending_free().
 */
struct pending *pending_peek(const char *state_dir, const char *repo_id,
			     const char *disk);

/* Replaces the file; durable when it returns. */
int pending_store(const char *state_dir, const struct pending *pending,
		  struct err *err);

void pending_free(struct pending *pending);
DEFINE_CLEANUP(struct pending *, pending_free);
#define _cleanup_pending_ _cleanup_(cleanup_pending_free)

/*
 * ORs @frozen, the changes between the epochs @before and @after, into the
 * sets of all targets of @disk, and stores them. One that is at @after has
 * them already; one that is not at @before has missed a cut and becomes full
 * (PENDING_GAP). @ret_gaps counts those.
 */
int pending_merge_all(const struct pending_disk *disk,
		      const struct bitmap *frozen, const char *before,
		      const char *after, unsigned int *ret_gaps,
		      struct err *err);

/*
 * ORs @missed, changes that no tracker saw, into the sets of all targets of
 * @disk, and stores them: none of them has these.
 */
int pending_add_all(const struct pending_disk *disk,
		    const struct bitmap *missed, struct err *err);

/*
 * In memory: the run @run, a uuid, has all of the set to send, and what another
 * run had left to do is forgotten. What it has durably at the target the run
 * takes out of ->to_send itself.
 */
int pending_begin_run(struct pending *pending, const char *run);

/* What is to be sent: ->to_send, or all of it if there is no run. */
const struct bitmap *pending_to_send(const struct pending *pending);

/* True if ->to_send is of @run, and so good for it. */
bool pending_is_of_run(const struct pending *pending, const char *run);

/*
 * In memory, after the target committed @point: takes @shipped out of the
 * set, and the reason is settled. pending_store() makes it count.
 */
void pending_settle(struct pending *pending, const struct bitmap *shipped,
		    const char *point);

/* In memory: @blocks are pending too, and to be sent. */
void pending_add(struct pending *pending, const struct bitmap *blocks);

/*
 * True if the set is complete up to the beginning of @epoch, so that what is
 * dirty since then is all it misses. That is so after an aborted cut too: its
 * frozen set may be in here already, and is in the dirty set again.
 */
bool pending_follows(const struct pending *pending, const char *epoch);

/* True if the set is of a target whose newest point is @point: it was settled
 * with it, or all but the last run's confirmation got there. */
bool pending_is_at(const struct pending *pending, const char *point);

/*
 * In memory: from now on frozen sets are merged that began at @epoch. Only
 * for a set that follows @epoch, or is full.
 */
void pending_at_epoch(struct pending *pending, const char *epoch);

/* In memory: everything is pending, for @reason if there was none before. */
void pending_distrust(struct pending *pending, enum pending_reason reason);

/*
 * In memory: the target is at @location, and a run begins that will commit
 * @point there. Should its acknowledgement be lost, it is known by that.
 */
int pending_begin(struct pending *pending, const char *location,
		  const char *point);

/* One line for people: why everything is pending. NULL for TRACKED. */
const char *pending_reason_text(enum pending_reason reason);

/*
 * A domain moved here with its pending sets: stores that of @repo_id, of which
 * @content was the file, as one that this host's tracker goes on with. It is
 * at the epoch that it was at. -EPROTO: it is none of this disk.
 */
int pending_adopt(const struct pending_disk *disk, const char *repo_id,
		  const void *content, size_t size_bytes, struct err *err);

/* That file, of the disk @disk, without what a run has left: to be freed. */
int pending_content(const char *state_dir, const char *repo_id,
		    const char *disk, char **ret_content,
		    size_t *ret_size_bytes, struct err *err);

/* Forgets what the target @repo_id has: to it, all is new. */
int pending_forget(const char *state_dir, const char *repo_id, struct err *err);

/* A target as known to a source. */
struct pending_target {
	char repo_id[UUID_SIZE];
	char *location; /* "": its files are damaged */
};

struct pending_targets {
	struct pending_target *targets;
	size_t nr_targets;
};

/* All targets of the domain with @state_dir; none is no error. */
int pending_targets(const char *state_dir, struct pending_targets **ret_targets,
		    struct err *err);
void pending_targets_free(struct pending_targets *targets);
DEFINE_CLEANUP(struct pending_targets *, pending_targets_free);
#define _cleanup_pending_targets_ _cleanup_(cleanup_pending_targets_free)
