/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The cut: one instant over all disks of a domain.
 *
 *	suspend A, B, C ─► epoch_begin A, B, C ─► all still suspended?
 *	                ─► resume A, B, C
 *
 * While any of them is suspended this process must not wait for a disk, or it
 * might wait for itself: memory that is written out to swap on a guest's disk,
 * a log on it.  So cut_prepare() does all that allocates or opens (it makes
 * the ioctls' task objects, opens the control node, sets aside and touches
 * heap and stack), and cut_run() locks memory and then only runs prepared
 * tasks.  What libdevmapper allocates inside those comes from the heap set
 * aside, as LVM does it in its critical section.  No udev cookie is involved.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "dm/stack.h"

struct cut;
struct err;

/*
 * Makes a cut ready that begins @epoch on the devices of @disks, of which only
 * the names count. The caller frees it.
 */
int cut_prepare(const struct stack_disk disks[], size_t nr_disks,
		const char *epoch, struct cut **ret_cut, struct err *err);

/*
 * Does it, once. On failure no epoch is left open and no disk suspended (as
 * far as the kernel lets us: the line says which one could not be resumed).
 * -ESTALE: somebody resumed a disk in between; just try again.
 */
int cut_run(struct cut *cut, struct err *err);

/* False if one could not be resumed, or is not known to be. */
bool cut_is_resumed(const struct cut *cut);

/* How long the disks stood, from the first suspend to the last resume. */
uint64_t cut_suspend_us(const struct cut *cut);

void cut_free(struct cut *cut);
#include "base/cleanup.h"
DEFINE_CLEANUP(struct cut *, cut_free);
#define _cleanup_cut_ _cleanup_(cleanup_cut_free)
