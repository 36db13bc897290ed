/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The parts of a preseed, for preseed*.c alone: what is to be moved, and
 * whether it can be (preseed-plan.c), and how it is done (preseed.c). */
#pragma once

#include "base/err.h"
#include "job/preseed.h"
#include "job/seed.h"
#include "job/ui.h"
#include "vm/domain-xml.h"
#include "vm/host.h"

struct preseed {
	const struct preseed_request *request;
	struct preseed_report *report;
	struct vm_host *to;
	char *name, *uuid;
	struct seed_disk *disks; /* as the other host is asked for them */
	struct vm_moved_disk *moved;
	size_t nr_disks;
	struct seed *seed;
	ship_cancel cancelled;
	struct ui *ui;
};

/* Looks at the domain, and at libvirt there. */
int preseed_plan(struct preseed *preseed, struct err *err);
void preseed_plan_clear(struct preseed *preseed);

/* The XML of the domain as the other host is to have it. For
 * switchover_request, @opaque being the preseed. */
char *preseed_make_xml(void *opaque, const char *xml, struct err *err);
