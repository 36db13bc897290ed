/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The parts of a restore, for restore.c and its kind alone. */
#pragma once

#include "job/reading.h"
#include "job/restore.h"

struct restore_dest;
struct session;

struct restore {
	const struct restore_request *request;
	struct reading from;
	struct manifest *manifest;   /* of the point, complete */
	struct session *session;     /* in place: of the domain; else NULL */
	struct restore_dest **dests; /* one for each disk of the report */
	struct restore_report *report;
	struct ui *ui;
};
