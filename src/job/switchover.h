/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The move of a running domain to the host whose disks are nearly there:
 *
 *	arm          a migration is let in over there
 *	mark         nothing starts the domain here from now on       durable
 *	migrate      RAM is copied, and the guest runs on
 *	             what it writes to its disks is brought along
 *	near?        what is left of both fits into the time allowed
 *	pause        from here on the guest stands
 *	cut, ship    the last of the disks                            flushed
 *	finish       it is all there, and changes are tracked there   durable
 *	full speed   the rest of the RAM
 *	release      QEMU is gone here: its disks there are let go of
 *	resume       there
 *
 * Whatever fails before QEMU is gone here is undone, and the guest goes on
 * here. Nothing that goes wrong afterwards has it run twice: see settle.h.
 */
#pragma once

#include <stdint.h>

struct err;
struct seed;
struct ui;
struct vm_host;

struct switchover_request {
	const char *connect; /* libvirt here; NULL: default */
	const char *domain;
	struct seed *seed;  /* its disks are nearly there */
	struct vm_host *to; /* libvirt there */
	/* The domain's XML as that host is to have it; to be freed. */
	char *(*make_xml)(void *opaque, const char *xml, struct err *err);
	void *opaque;
	uint64_t max_downtime_ms;
	uint64_t bytes_per_s; /* at which its disks were shipped */
	unsigned int wait_s;  /* for another run */
};

struct switchover_report {
	uint32_t downtime_ms;  /* from the pause to the resume */
	uint32_t disks_ms;     /* of it, until all of its disks was there */
	uint32_t memory_ms;    /* and from then on, until QEMU was gone here */
	uint64_t last_bytes;   /* shipped of its disks while it stood */
	uint64_t before_bytes; /* and since the migration began */
};

/* An estimate of how long the guest stands while so much is shipped of its
 * disks, its memory aside. */
uint64_t switchover_estimate_ms(const struct seed *seed, uint64_t left_bytes,
				uint64_t bytes_per_s);

/*
 * Moves it. 0: it is over there, and goes on if it ran here. -EAGAIN: the guest
 * writes faster, to its disks or in its memory, than it can be brought there in
 * the time allowed. After any failure the domain is here and goes on, unless
 * the text says otherwise.
 */
int switchover_run(const struct switchover_request *request,
		   struct switchover_report *ret_report, struct ui *ui,
		   struct err *err);

/*
 * The same of a domain that does not run: it is defined over there, and does
 * not run there either. After a failure it may be started here.
 */
int switchover_offline(const struct switchover_request *request,
		       struct switchover_report *ret_report, struct ui *ui,
		       struct err *err);
