/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A copy of our metadata in /var/lib/dsync-vm/UUID/original.xml, because some
 * tools that edit a domain drop what they do not know.  It says what the disks
 * were before attach.
 */
#pragma once

struct err;

/* Saves the metadata in @xml as that of domain @uuid; durable on return. */
int vm_record_save(const char *uuid, const char *xml, struct err *err);

/*
 * Replaces *@xml (allocated) by one that has our metadata again, if it has lost
 * it though a disk is our device, and a copy exists; else leaves it alone.
 */
int vm_record_recover(char **xml, struct err *err);

/* Removes the copy, if there is one. */
int vm_record_forget(const char *uuid, struct err *err);
