/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Starting and stopping what a domain does. One call of libvirt each. */
#pragma once

struct err;
struct vm_dom;

/* Its processors stand still, and what QEMU has of its disks is written out. */
int vm_dom_suspend(struct vm_dom *dom, struct err *err);
/* It runs; libvirt may have seen to that by itself, after a migration that
 * failed. */
int vm_dom_go_on(struct vm_dom *dom, struct err *err);

/* Starts it. */
int vm_dom_start(struct vm_dom *dom, struct err *err);

/* Asks the guest to shut down; that takes as long as it takes. */
int vm_dom_shutdown(struct vm_dom *dom, struct err *err);

/* Removes its definition, with what libvirt keeps beside it. */
int vm_dom_undefine(struct vm_dom *dom, struct err *err);

/* Ends QEMU, as a power cut would. */
int vm_dom_destroy(struct vm_dom *dom, struct err *err);
