/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The parts of a switch-over, for switchover*.c alone: its course
 * (switchover.c), how it comes near (switchover-near.c), the disks in it
 * (switchover-disks.c), and how it ends (switchover-undo.c). */
#pragma once

#include <stdbool.h>

#include "base/err.h"
#include "base/uuid.h"
#include "job/far-lines.h"
#include "job/session.h"
#include "job/switchover.h"
#include "job/ui.h"
#include "job/watchdog.h"
#include "vm/migrate.h"

struct cut;

/* A disk on its way, with all open that is needed to bring the last of it. */
struct switchover_disk {
	struct pending *pending; /* as it was when this began */
	struct bitmap *missing;  /* over there, but for what is dirty here */
	struct ship_source *source;
	struct ship_dest *dest;
	struct far_lines lines;
};

struct switchover {
	const struct switchover_request *request;
	struct switchover_report *report;
	struct session *session;
	struct switchover_disk *disks; /* one for each of the session */
	struct watchdog watchdog;
	struct vm_migration *migration; /* NULL: none, or over */
	char *xml, *next;               /* as the other host is to have it */
	struct cut *cut;
	char epoch[UUID_SIZE];
	bool was_running, marked, defined, epoch_open;
	bool finishing, finished; /* it may be whole over there; it is */
	bool left;                /* QEMU is not here any more */
	bool fast;                /* RAM may go as fast as it can */
	uint64_t bytes_per_s, ram_bytes_per_s, paused_ms;
	ship_cancel cancelled;
	struct ui *ui;
};

/* What both ways of moving begin and end with: a session, and who follows it. */
void switchover_init(struct switchover *sw,
		     const struct switchover_request *request,
		     struct switchover_report *ret_report, struct ui *ui);
int switchover_open(struct switchover *sw, struct err *err);
int switchover_watch(struct switchover *sw, struct err *err);
void switchover_close(struct switchover *sw);

/* The domain's XML as the other host is to have it; NULL: @err says why. */
char *switchover_xml(struct switchover *sw, enum vm_xml_which which,
		     struct err *err);

/* Marks it as leaving, and tells the watchdog; or as one that has left. */
int switchover_mark(struct switchover *sw, bool left, struct err *err);

/* Tells the watchdog that somebody minds the domain, which may stand. */
void switchover_alive(struct switchover *sw);

/* Copies until both, RAM and disks, are near enough, or the migration ended. */
int switchover_come_near(struct switchover *sw, struct err *err);

/* Opens what the disks are read from and written to. */
int switchover_open_disks(struct switchover *sw, struct err *err);
void switchover_close_disks(struct switchover *sw);

/* How much of them is missing there, as it is now. */
int switchover_left_bytes(struct switchover *sw, uint64_t *ret_bytes,
			  struct err *err);

/* Brings what is missing while the guest runs on. */
int switchover_catch_up(struct switchover *sw, struct err *err);

/* Sends what every target misses of them, but for what the last cut will
 * freeze, and prepares that. */
int switchover_prepare_last(struct switchover *sw, struct err *err);

/* The last cut, which nothing is written after; what it froze, and the end: all
 * is durable over there. */
int switchover_ship_last(struct switchover *sw, struct err *err);

/* It did not count: what it froze is dirty again, and what was brought of it
 * is known to be on the other host, perhaps. */
void switchover_abort_cut(struct switchover *sw);

/* The migration ended well: sees that QEMU is gone here. Sets ->left. */
int switchover_see_gone(struct switchover *sw, struct err *err);

/* It is to go on here; or else it turns out that it has left. */
void switchover_stay(struct switchover *sw);

/* After it ended with @r, and @err says why: everything is undone that can be,
 * and what is left to do is left to the watchdog. */
void switchover_wind_up(struct switchover *sw, int r, struct err *err);
