/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The disks of a domain on the host that it is to move to, seen from the one
 * where it is: the other end of receiver.h, by way of ssh.
 *
 * It is a target of backups too (target-seed.c), a mirror that is known by its
 * libvirt URI: each pass brings it nearer, and a move that is tried again goes
 * on from what is there.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/cleanup.h"
#include "base/uuid.h"
#include "job/far-lines.h"
#include "ship/ship.h"

struct bitmap;
struct err;
struct pending;
struct seed;
struct ui;

/* True for qemu+ssh://[user@]host[:port]/system. */
bool seed_is_uri(const char *uri);

/* Strings stay with the caller. */
struct seed_disk {
	const char *disk, *name; /* vda; our device in front of it */
	const char *path;        /* over there */
	uint64_t size_bytes;
	bool create, overwrite; /* see receiver.h */
	bool replace;           /* whatever it may have become meanwhile */
};

struct seed_domain {
	const char *name, *uuid;
	const struct seed_disk *disks;
	size_t nr_disks;
	bool look_only; /* whether all could be made ready; nothing is */
};

/*
 * Connects to the host of @uri, and has it make the disks ready. What is wrong
 * over there is a failure here. @uri, @ui and @cancelled stay with it. To be
 * closed by seed_close(): nothing of it is left over there but what was written.
 */
int seed_open(const char *uri, const struct seed_domain *domain,
	      ship_cancel cancelled, struct seed **ret_seed, struct ui *ui,
	      struct err *err);
void seed_close(struct seed *seed);
DEFINE_CLEANUP(struct seed *, seed_close);
#define _cleanup_seed_ _cleanup_(cleanup_seed_close)

const char *seed_uri(const struct seed *seed);

/* As a target of backups: that host, and these places on it. */
void seed_id(const char *uri, const struct seed_disk disks[], size_t nr_disks,
	     char ret_id[UUID_SIZE]);
const char *seed_target_id(const struct seed *seed);

/* Where a migration sends what is in memory: tcp://host. */
const char *seed_memory_uri(const struct seed *seed);

/* How long a question and its answer take, at the least. */
uint32_t seed_round_trip_ms(const struct seed *seed);

/* Whether it may be overwritten, whatever is on it. */
bool seed_may_overwrite(const struct seed *seed, const char *disk);

/* Whether the disk's file was made by this one, or would be: nothing of ours is
 * in it. */
bool seed_has_created(const struct seed *seed, const char *disk);

/* The device in front of it, here. */
const char *seed_device(const struct seed *seed, const char *disk);

/* Whether nobody but us wrote to the disk since it is brought there. */
bool seed_is_trusted(const struct seed *seed, const char *disk);

/* Whether it is a block device over there. */
bool seed_is_block(const struct seed *seed, const char *disk);

/* Connects to a disk, as far_lines_open_dest() and _source() say. */
int seed_open_dest(struct seed *seed, const char *disk, uint64_t size_bytes,
		   struct far_lines *lines, struct ship_dest **ret_dest,
		   struct err *err);
int seed_open_source(struct seed *seed, const char *disk,
		     struct far_lines *lines, struct ship_source **ret_source,
		     struct err *err);

/* That the other host answers, and all is well with what it serves. */
int seed_ping(struct seed *seed, struct err *err);

/* How fast something gets there. */
int seed_measure(struct seed *seed, uint64_t *ret_bytes_per_s, struct err *err);

/* A pass begins. False: the disks have what the one before it sent, for nobody
 * else had them since. */
bool seed_begin_pass(struct seed *seed);

/* The other host has nothing start the domain there from now on; @live: but a
 * migration. */
int seed_arm(struct seed *seed, bool live, struct err *err);

/* QEMU is there now: it is kept from going on. -EAGAIN: it is not. */
int seed_hold(struct seed *seed, struct err *err);

/* What a target misses of a disk: the file of its pending set. */
int seed_send_pending(struct seed *seed, const char *disk, const char *repo_id,
		      const void *content, size_t size_bytes, struct err *err);

/* What the last cut froze of a disk, since the epoch @before. */
int seed_send_frozen(struct seed *seed, const char *disk, const char *before,
		     const struct bitmap *frozen, struct err *err);

/*
 * Nothing more comes. When this returns 0, all is durable over there, and the
 * changes that the domain will make, of which @xml is what that host has, are
 * tracked. It cannot go on yet.
 */
int seed_finish(struct seed *seed, const char *xml, struct err *err);

/* The domain has left this host, so it may go on over there: its disks are let
 * go of. */
int seed_let_go(struct seed *seed, struct err *err);

/* The same after the connection was lost, by a new one. @ret_arrived: all of it
 * is there, or was; if not, nothing is let go of. @stands: its QEMU is there,
 * without which nothing is let go of, either. */
int seed_release(const char *uri, const char *domain_uuid, bool stands,
		 bool *ret_arrived, struct ui *ui, struct err *err);
