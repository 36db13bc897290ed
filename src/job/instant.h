/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The instant of a backup: guest frozen, all disks suspended, one epoch begun
 * on all of them, disks resumed, guest thawed, with the watchdog told of each
 * step before it is taken.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/config.h"
#include "base/uuid.h"

struct cut;
struct err;
struct session;
struct ui;
struct watchdog;

struct instant_request {
	enum config_freeze freeze; /* ask the guest's agent */
	unsigned int freeze_timeout_s;
};

struct instant {
	char epoch[UUID_SIZE]; /* begun on every disk */
	bool frozen;           /* the guest was quiet at the cut */
	bool asked;            /* for the freeze */
	uint32_t freeze_ms;    /* from the call to the end of the thaw */
	uint32_t suspend_ms;
};

/*
 * Takes the instant. What the guest or its agent do is warned about and never
 * fails it. After a failure every disk runs and the guest is thawed, or the
 * watchdog is at it.
 */
int instant_take(struct session *session, const struct instant_request *request,
		 struct watchdog *watchdog, struct instant *ret_instant,
		 struct ui *ui, struct err *err);

/*
 * The cut alone, of disks that nobody has to be frozen for. -EAGAIN: somebody
 * resumed one in between. After a failure every disk runs, or the watchdog is
 * at it.
 */
int instant_cut(struct cut *cut, struct watchdog *watchdog, struct err *err);

/* How long the whole may take before the watchdog steps in. */
unsigned int instant_deadline_ms(const struct instant_request *request);

#define INSTANT_SUSPEND_DEADLINE_MS 10000
