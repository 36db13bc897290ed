/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A domain's XML: what disks it has, which of them are ours, and the edits
 * that make them ours or give them back.
 *
 * Pure text to text, without a connection to libvirt, so that the hook (which
 * must not have one) reads domains with the same code as the commands.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/name.h"

struct err;

struct vm_disk {
	char *target; /* vda; never NULL */
	char *device; /* disk, cdrom, floppy, lun; never NULL */
	char *type;   /* of the source: block, file, volume, network, ... */
	char *format; /* of the driver: raw, qcow2, ...; never NULL */
	char *path;   /* file or device now in the XML; NULL: none */
	char *pool;   /* of a volume, else NULL; see vm_host_resolve() */
	char *volume;
	bool readonly;
	bool block_job; /* live XML only: a mirror or commit is running */

	/* One of ours: recorded in our metadata, and the source is our device. */
	bool tracked;
	char name[DISK_NAME_SIZE]; /* of our device in front of it, else "" */
	char *original_type;       /* as recorded, NULL if it is not */
	char *original_path;       /* what the device is to be built on */

	/* Why it is not (or can not be) tracked; NULL: it is, or it can be. */
	char *reason;

	bool selected; /* for vm_xml_attach(): set by the caller */
};

struct vm_domain {
	char *name;
	char uuid[UUID_SIZE];
	struct vm_disk *disks; /* in the order of the XML */
	size_t nr_disks;
	size_t nr_tracked;
	bool has_metadata;      /* our element is there, whatever it says */
	bool has_agent_channel; /* org.qemu.guest_agent.0 */
	char *nvram;            /* path of the UEFI variables, NULL: none */
};

/* Reads @xml. The caller frees the domain. -EINVAL: malformed, -ENOMEM. */
int vm_domain_parse(const char *xml, struct vm_domain **ret_domain,
		    struct err *err);
void vm_domain_free(struct vm_domain *domain);
#include "base/cleanup.h"
DEFINE_CLEANUP(struct vm_domain *, vm_domain_free);
#define _cleanup_vm_domain_ _cleanup_(cleanup_vm_domain_free)

/* The disk of that target, or NULL. */
struct vm_disk *vm_domain_disk(const struct vm_domain *domain,
			       const char *target);

/*
 * Makes every ->selected disk of @domain (parsed from this same @xml, volumes
 * resolved, ->name set) ours: its source becomes /dev/mapper/NAME, the whole
 * original <source> goes into our metadata. Disks recorded before stay as they
 * are.
 * @ret_xml is the caller's to free, as everywhere below.
 */
int vm_xml_attach(const char *xml, const struct vm_domain *domain,
		  char **ret_xml, struct err *err);

/*
 * Gives type and source back to the disks that are still ours and removes our
 * metadata; a disk that was pointed elsewhere meanwhile stays there. -ENOENT:
 * none of its disks is ours; -ENODATA: one is, but nothing tells what it was
 * (see vm_xml_recover()).
 */
int vm_xml_detach(const char *xml, char **ret_xml, struct err *err);

/*
 * Some tools drop metadata. vm_xml_record() gives our element alone, to be kept
 * in a file; vm_xml_recover() puts it into an @xml that has lost it, and leaves
 * one that has it unchanged.
 */
int vm_xml_record(const char *xml, char **ret_record, struct err *err);
int vm_xml_recover(const char *xml, const char *record, char **ret_xml,
		   struct err *err);

struct vm_restored_disk {
	const char *target;
	const char *path;   /* where the content now is */
	const char *format; /* raw or qcow2 */
	bool block;         /* @path is a block device */
};

struct vm_restored {
	const char *name;  /* NULL: keeps its name */
	const char *nvram; /* restored UEFI variables, NULL: made afresh */
	const struct vm_restored_disk *disks;
	size_t nr_disks;
};

/*
 * The XML of a second domain that runs on restored disks beside the first
 * one: no uuid and no MAC addresses (libvirt makes new ones), our metadata
 * gone, sources replaced. A disk that was not restored is left out, since two
 * domains must not write to one disk; cdroms and other read-only ones stay.
 */
int vm_xml_restored(const char *xml, const struct vm_restored *restored,
		    char **ret_xml, struct err *err);

/* Where the content of one of ours is on another host. */
struct vm_moved_disk {
	const char *target;
	const char *path;
	bool block; /* @path is a block device */
};

/* The XML of the domain over there: the same, but for what our metadata says
 * that our devices stand for. -ENODATA: it does not say so of one of @disks. */
int vm_xml_moved(const char *xml, const struct vm_moved_disk disks[],
		 size_t nr_disks, char **ret_xml, struct err *err);

/* @xml as the functions above write it, so that a diff shows changes only. */
int vm_xml_normal(const char *xml, char **ret_xml, struct err *err);
