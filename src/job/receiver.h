/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The host that a domain moves to, before the domain is there: its disks, with
 * our devices in front of them, are filled by whoever brings them.
 *
 *	receiver_open()    the disks are there, and nobody else uses them
 *	...                what comes is written to ->server
 *	receiver_arm()     from now on it is about the whole domain
 *	receiver_hold()    its QEMU is here, and cannot go on
 *	receiver_finish()  nothing more comes: tracking begins
 *	receiver_release() the domain has left the other host
 *	receiver_close()
 *
 * A server has its disk's image lock, as a QEMU would have it, and after it the
 * receiver itself.  The QEMU that a migration brings is started beside it, but
 * cannot go on as long as somebody has that lock: this is what keeps it from
 * being resumed on disks that are not complete, or while it runs elsewhere too.
 * So, once armed, a receiver outlives who talks to it, for as long as there is
 * such a QEMU: receiver_linger().
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/cleanup.h"
#include "base/uuid.h"

struct bitmap;
struct err;
struct receiver;
struct ship_server;
struct ui;

/* What is known of a disk over there; strings stay with the caller. */
struct receiver_disk {
	const char *disk; /* vda */
	const char *name; /* of our device in front of it */
	const char *path; /* block device or raw file, of this host */
	uint64_t size_bytes;
	bool create;    /* make the file, if nothing is there */
	bool overwrite; /* whatever is on it */
};

struct receiver_domain {
	const char *name, *uuid;
	const struct receiver_disk *disks;
	size_t nr_disks;
	bool look_only; /* whether it could be; nothing is made, or served */
};

/*
 * -EOPNOTSUPP: this host cannot track; -EBUSY: the domain runs here, or another
 * run has it, or somebody uses a disk; -EEXIST: something is on one; -ENOENT:
 * there is none. @ui stays with it.
 */
int receiver_open(const struct receiver_domain *domain,
		  struct receiver **ret_receiver, struct ui *ui,
		  struct err *err);
void receiver_close(struct receiver *receiver);
DEFINE_CLEANUP(struct receiver *, receiver_close);
#define _cleanup_receiver_ _cleanup_(cleanup_receiver_close)

/* Whether it runs here, or is being started. */
bool receiver_domain_runs(const struct receiver_domain *domain);

/* Whether the file of the disk @i was made by this one, or would be. */
bool receiver_has_created(const struct receiver *receiver, size_t i);

/* Whether nothing was written to the disk but what came by way of receivers. */
bool receiver_is_trusted(const struct receiver *receiver, size_t i);

/* Whether it is a block device. */
bool receiver_is_block(const struct receiver *receiver, size_t i);

/* Where what comes for the disk @i is written; NULL: nothing may come now. */
struct ship_server *receiver_server(const struct receiver *receiver, size_t i);

/* @live: a migration of it may come in; else nothing starts it. */
int receiver_arm(struct receiver *receiver, bool live, struct err *err);

/*
 * QEMU has come in: it is kept from going on by the image locks, where it has a
 * node of its own for the disk, too. -EAGAIN: it is not here yet.
 */
int receiver_hold(struct receiver *receiver, struct err *err);

/*
 * A target's pending set of the disk @i, the file @content as it was over
 * there. It goes on counting with the tracker of this host.
 */
int receiver_take_pending(struct receiver *receiver, size_t i,
			  const char *repo_id, const void *content,
			  size_t size_bytes, struct err *err);

/* What the last cut over there froze of the disk @i: changes since the epoch
 * @before, which its pending sets do not have. Takes @frozen over. */
void receiver_take_frozen(struct receiver *receiver, size_t i,
			  const char *before, struct bitmap *frozen);

/*
 * All has come: it is durable when this returns, the servers have ended, and
 * the trackers begin with nothing dirty. @xml is that of the domain here.
 */
int receiver_finish(struct receiver *receiver, const char *xml,
		    struct err *err);

/* The domain may go on here. -EPROTO: not all has come. */
int receiver_release(struct receiver *receiver, struct err *err);

/* Whether there is something that must not go on without leave. */
bool receiver_is_needed(const struct receiver *receiver);

/* Nobody talks to it any more: returns when it is not needed. */
void receiver_linger(struct receiver *receiver);
