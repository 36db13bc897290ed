/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Attach and detach: whose disk a domain's XML names, the guest's own or our
 * device in front of it.  Both change the definition that the next start
 * takes, and nothing else.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/name.h"

struct err;
struct ui;

struct attach_request {
	const char *connect; /* libvirt URI, NULL: default */
	const char *domain;
	const char *const *targets; /* disks; none: all that can be tracked */
	size_t nr_targets;
	bool dry_run; /* only make ->before and ->after */
};

enum attach_action {
	ATTACH_DONE,    /* attached, or given back, by this run */
	ATTACH_ALREADY, /* was attached before */
	ATTACH_LEFT,    /* left as it is: see ->reason */
};

struct attach_disk {
	char target[64];
	char name[DISK_NAME_SIZE]; /* of its device, "" if left */
	char path[512];            /* what it stands on */
	char metadata[512];        /* where its changes will be kept; "" */
	enum attach_action action;
	char reason[320];
	bool expected; /* nobody wants it attached: not worth a warning */
};

struct attach_report {
	char *domain;         /* NULL: the run did not get that far */
	bool running;         /* so it takes effect at the next start */
	bool changed;         /* or would be, without ->dry_run */
	char *before, *after; /* the definition, laid out alike */
	struct attach_disk *disks;
	size_t nr_disks;
};

/*
 * Attaches. A disk that was asked for and cannot be tracked is an error; one
 * that was not asked for is left. Nothing to do is no error. -EOPNOTSUPP: the
 * domain, or no disk of it, cannot be attached. @ret_report is to be freed
 * after a failure too.
 */
int attach_run(const struct attach_request *request,
	       struct attach_report *ret_report, struct err *err);

/*
 * Gives every disk of the domain back. -EBUSY: it runs on our devices, or a
 * backup does. -ENOENT: none is attached.
 */
int detach_run(const struct attach_request *request,
	       struct attach_report *ret_report, struct err *err);

void attach_report_free(struct attach_report *report);
