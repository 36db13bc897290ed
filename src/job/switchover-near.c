/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Coming near: what is left of RAM and disks is to fit into the time allowed,
 * and to stay so until the guest is paused.
 *
 * QEMU ends a migration by itself when little enough is left.  Here it must
 * not: so the time allowed for that is a millisecond, and as soon as little RAM
 * is left, and that fits into ours, it is slowed down so that it lasts.
 */
#include <poll.h>

#include "job/seed.h"
#include "job/switchover-parts.h"

#define LOOK_MS 20
#define ALIVE_MS 5000 /* the other host is asked so often */
#define BEGIN_MS 60000
#define FIXED_MS 50 /* what takes its time whatever is left */
#define ROUND_TRIPS 6
#define NEAR_MS 250 /* of RAM, of which little is gone between two looks */
#define ENOUGH_ITERATIONS 3 /* of RAM, that does not get nearer */
#define MAX_TRIES 64        /* to come near enough */

/* How long @bytes take at @bytes_per_s. */
static uint64_t takes_ms(uint64_t bytes, uint64_t bytes_per_s)
{
	return bytes * 1000 / (bytes_per_s ? bytes_per_s : 1);
}

uint64_t switchover_estimate_ms(const struct seed *seed, uint64_t left_bytes,
				uint64_t bytes_per_s)
{
	return FIXED_MS + ROUND_TRIPS * seed_round_trip_ms(seed) +
	       takes_ms(left_bytes, bytes_per_s);
}

/* The same of what is left now. */
static uint64_t estimate_ms(const struct switchover *sw, uint64_t left_bytes)
{
	return switchover_estimate_ms(sw->request->seed, left_bytes,
				      sw->bytes_per_s);
}

/* What there is to look at while the migration goes on. */
static int look_around(struct switchover *sw, uint64_t *asked_ms,
		       struct err *err)
{
	if (*sw->cancelled)
		return fail(err, -EINTR, "interrupted");
	if (ui_now_ms() - *asked_ms < ALIVE_MS)
		return 0;
	*asked_ms = ui_now_ms();
	switchover_alive(sw);
	return seed_ping(sw->request->seed, err);
}

static int set_fast(struct switchover *sw, bool fast, struct err *err)
{
	int r = 0;

	if (sw->fast != fast)
		r = vm_migrate_set_speed(
			sw->migration,
			fast ? VM_MIGRATE_UNLIMITED : VM_MIGRATE_SLOWEST, err);
	sw->fast = fast;
	return r;
}

/* RAM is near enough: slow enough to last, while what the targets miss goes
 * ahead. True in @ret_near if the disks are near enough, still. */
static int hold_back(struct switchover *sw, uint64_t ram_ms, bool *ret_near,
		     struct err *err)
{
	uint64_t left_bytes = 0;
	int r = set_fast(sw, false, err);

	if (r == 0)
		r = switchover_prepare_last(sw, err);
	if (r == 0)
		r = switchover_left_bytes(sw, &left_bytes, err);
	*ret_near = r == 0 && ram_ms + estimate_ms(sw, left_bytes) <=
				      sw->request->max_downtime_ms;
	return r < 0 || *ret_near ? r : switchover_catch_up(sw, err);
}

/* The disks are not: RAM may go on meanwhile, but not come to its end. */
static int catch_up(struct switchover *sw, uint64_t ram_ms, uint64_t disks_ms,
		    struct err *err)
{
	int r = ram_ms < 2 * disks_ms ? set_fast(sw, false, err) : 0;

	return r < 0 ? r : switchover_catch_up(sw, err);
}

static int too_fast(const struct switchover *sw, struct err *err)
{
	return fail(err, -EAGAIN,
		    "%s: what it writes to its memory and disks cannot be "
		    "brought there within %llu ms; allow more with "
		    "--max-downtime, or try when it is quieter",
		    sw->session->domain->name,
		    (unsigned long long)sw->request->max_downtime_ms);
}

/* QEMU is over there, and kept from going on. */
static int set_off(struct switchover *sw, struct err *err)
{
	uint64_t began_ms = ui_now_ms();
	struct vm_migrate_progress ram = {0};
	struct err why = {0};
	int r = 0;

	while (r == 0 && !ram.total_bytes &&
	       !vm_migrate_has_ended(sw->migration)) {
		if (*sw->cancelled)
			return fail(err, -EINTR, "interrupted");
		if (ui_now_ms() - began_ms > BEGIN_MS)
			return fail(err, -ETIMEDOUT,
				    "%s: the migration does not begin",
				    seed_uri(sw->request->seed));
		r = vm_migrate_progress(sw->migration, &ram, err);
		poll(NULL, 0, LOOK_MS);
	}
	if (r < 0 || vm_migrate_has_ended(sw->migration))
		return r;
	r = seed_hold(sw->request->seed, &why);
	if (r < 0)
		return fail(err, r, "%s: %s", seed_uri(sw->request->seed),
			    why.text);
	return 0;
}

/* What is left of RAM, at the rate at which it went when it could; until then,
 * at that of the disks. */
static uint64_t ram_ms(struct switchover *sw,
		       const struct vm_migrate_progress *ram)
{
	if (sw->fast && ram->bytes_per_s)
		sw->ram_bytes_per_s = ram->bytes_per_s;
	return takes_ms(ram->left_bytes, sw->ram_bytes_per_s);
}

/* As near as it gets, if that is near enough: half of the time is for each of
 * RAM and disks. */
static bool is_near(const struct switchover *sw,
		    const struct vm_migrate_progress *ram, uint64_t left_ms)
{
	if (!ram->total_bytes ||
	    (left_ms + estimate_ms(sw, 0)) * 2 > sw->request->max_downtime_ms)
		return false;
	return left_ms <= NEAR_MS + 2 * seed_round_trip_ms(sw->request->seed) ||
	       ram->iterations > ENOUGH_ITERATIONS;
}

int switchover_come_near(struct switchover *sw, struct err *err)
{
	const uint64_t max_ms = sw->request->max_downtime_ms;
	uint64_t asked_ms = ui_now_ms(), left_bytes = 0, left_ms, disks_ms;
	struct vm_migrate_progress ram;
	unsigned int tries = 0;
	bool near = false;
	int r = set_off(sw, err);

	while (r == 0 && !near && !vm_migrate_has_ended(sw->migration)) {
		r = look_around(sw, &asked_ms, err);
		if (r == 0)
			r = vm_migrate_progress(sw->migration, &ram, err);
		if (r == 0)
			r = switchover_left_bytes(sw, &left_bytes, err);
		if (r < 0)
			break;
		if (tries > MAX_TRIES || ram.iterations > MAX_TRIES)
			return too_fast(sw, err);
		left_ms = ram_ms(sw, &ram);
		disks_ms = takes_ms(left_bytes, sw->bytes_per_s);
		if (is_near(sw, &ram, left_ms)) {
			tries++;
			r = hold_back(sw, left_ms, &near, err);
		} else if (disks_ms * 2 > max_ms) {
			r = catch_up(sw, left_ms, disks_ms, err);
			/* RAM does not get on, either. */
			tries += !sw->fast;
		} else {
			r = set_fast(sw, true, err);
			poll(NULL, 0, LOOK_MS);
		}
	}
	return r;
}
