/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Quieting the guest's filesystems through its agent.
 *
 *	vm_freeze() ─┬─ VM_FROZEN ──────► the cut ──► vm_thaw()
 *	             ├─ VM_FREEZE_LATE ─► no cut of ours: vm_thaw() at once
 *	             ├─ VM_FREEZE_NONE ─► crash-consistent cut, no thaw
 *	             └─ VM_FREEZE_OTHER ► somebody else's freeze: quiet, not ours
 *
 * A freeze that ran into its timeout may still be executed by the agent later,
 * so a thaw must follow it, and must be repeated until the agent answers.
 */
#pragma once

#include <stdbool.h>

struct err;
struct vm_dom;

enum vm_freeze_result {
	VM_FROZEN,      /* by us: vm_thaw() it */
	VM_FREEZE_NONE, /* no agent, not connected, or it refused: not frozen */
	VM_FREEZE_LATE, /* no answer in time: vm_thaw(), cut not quiesced */
	VM_FREEZE_OTHER, /* was frozen before: leave that to who did it */
};

struct vm_freeze {
	enum vm_freeze_result result;
	int nr_filesystems; /* VM_FROZEN only */
	char reason[256];   /* one line for the other results, else "" */
};

/* True if the agent has to be told to thaw. */
static inline bool vm_freeze_needs_thaw(const struct vm_freeze *freeze)
{
	return freeze->result == VM_FROZEN || freeze->result == VM_FREEZE_LATE;
}

/*
 * Freezes the guest's filesystems; returns after @timeout_s seconds and a
 * little at the latest. The domain's agent timeout is put back afterwards.
 * Whatever the guest does is a result, not a failure; a failure is the loss
 * of libvirt itself (then nothing is known: call vm_thaw()).
 */
int vm_freeze(struct vm_dom *dom, unsigned int timeout_s,
	      struct vm_freeze *ret_freeze, struct err *err);

/*
 * Thaws, again and again, until the agent says that it is done (returns the
 * number of filesystems that it had to thaw) or the domain has ended (0), or
 * @deadline_s seconds have passed (-ETIMEDOUT).
 */
int vm_thaw(struct vm_dom *dom, unsigned int deadline_s, struct err *err);
