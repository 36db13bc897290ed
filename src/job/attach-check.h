/* SPDX-License-Identifier: GPL-2.0-or-later */
/* For attach: what only the host can tell about a disk. */
#pragma once

#include <stddef.h>

struct err;
struct vm_domain;
struct vm_host;

/* Refuses a transient domain, and one with a managed save image. */
struct vm_dom;
struct vm_dom_state;
int attach_check_domain(struct vm_dom *dom, const struct vm_dom_state *state,
			struct err *err);

/*
 * Gives a ->reason to each disk of @domain that the host makes impossible: not
 * there, neither block device nor file, of an odd size, one of our own devices,
 * or used by another disk or domain. All others get the ->name of the device
 * that they are to have.
 */
int attach_check_disks(struct vm_host *host, struct vm_domain *domain,
		       struct err *err);
