/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The manifest of a restore point.  Its rename into place commits the point:
 * images without one do not exist, whatever their names are.
 *
 * It is read as untrusted input: a repository may lie on somebody else's
 * host.  Paths are not taken from it; they are derived from target and point,
 * both of which are checked for their characters, and compared with what it
 * says.  Fields this version does not know are ignored; another format number
 * is refused (-EOPNOTSUPP), everything else that is wrong is -EBADMSG.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#include "base/cleanup.h"
#include "base/uuid.h"
#include "repo/point.h"

struct err;
struct repo_domain;

#define MANIFEST_FORMAT 1
#define MANIFEST_MAX_BYTES (128u << 20) /* a 64 MiB NVRAM in base64 fits */
#define MANIFEST_MAX_DISKS 1024
#define MANIFEST_MAX_DISK_BYTES (UINT64_C(1) << 52)

enum consistency {
	CONSISTENCY_FROZEN,  /* the guest had frozen its file systems */
	CONSISTENCY_CRASH,   /* as a power cut would have left it */
	CONSISTENCY_OFFLINE, /* the domain did not run */
	CONSISTENCY_TORN,    /* read while it ran, untracked: no one instant */
};

struct manifest_disk {
	char *target;             /* vda */
	uint64_t size_bytes;      /* multiple of 512 */
	uint32_t block_bytes;     /* power of two from 4096 */
	char backing[POINT_SIZE]; /* "": standalone, else overlay on it */
	char epoch[UUID_SIZE];    /* of the cut; "": untracked */
	bool full;                /* all of it was shipped or compared */
	uint64_t blocks_changed;  /* shipped or found equal */
	uint64_t bytes_sent;
	uint64_t zero_bytes; /* sent as WRITE_ZEROES */
};

struct manifest_left_out {
	char *target;
	char *reason; /* one line */
};

struct manifest {
	char point[POINT_SIZE];
	char parent[POINT_SIZE]; /* "": the first one */
	char repo_id[UUID_SIZE];
	time_t created; /* instant of the cut */
	char *domain_name;
	char domain_uuid[UUID_SIZE];
	enum consistency consistency;
	bool is_pass;        /* of a mirror: goes when there is a newer point */
	uint32_t freeze_ms;  /* how long the guest was frozen */
	uint32_t suspend_ms; /* how long its disks stood still */
	char *domain_xml;
	uint8_t *nvram; /* UEFI variables, NULL: none */
	size_t nvram_bytes;
	struct manifest_disk *disks;
	size_t nr_disks;
	struct manifest_left_out *left_out;
	size_t nr_left_out;
};

/* All zero. To be freed by manifest_free(), with all it points to. */
struct manifest *manifest_new(void);
void manifest_free(struct manifest *manifest);
DEFINE_CLEANUP(struct manifest *, manifest_free);
#define _cleanup_manifest_ _cleanup_(cleanup_manifest_free)

/*
 * Appends a disk or a disk left out, copying the strings. The disk returned
 * is filled by the caller and valid until the next one is added. NULL:
 * out of memory.
 */
struct manifest_disk *manifest_add_disk(struct manifest *manifest,
					const char *target);
int manifest_add_left_out(struct manifest *manifest, const char *target,
			  const char *reason);

/* NULL: the point has no such disk. */
const struct manifest_disk *manifest_find_disk(const struct manifest *manifest,
					       const char *target);

const char *consistency_name(enum consistency consistency);

/*
 * Parses @text, the manifest that must be the one of @point. The result must
 * be freed by manifest_free().
 */
int manifest_parse(const char *text, size_t size_bytes, const char *point,
		   struct manifest **ret_manifest, struct err *err);
/* As text, as stored. The caller frees it; NULL: out of memory. */
char *manifest_text(const struct manifest *manifest);
/*
 * The same over @text, which was parsed and has the same disks: what a later
 * version wrote there, and this one does not know, stays.
 */
char *manifest_text_over(const char *text, size_t size_bytes,
			 const struct manifest *manifest);

/* Reads and parses the manifest of @point. -ENOENT: no such point. */
int manifest_read(const struct repo_domain *domain, const char *point,
		  struct manifest **ret_manifest, struct err *err);

/* The same of a point that is on its way out, see removal.h. */
int manifest_read_removed(const struct repo_domain *domain, const char *point,
			  struct manifest **ret_manifest, struct err *err);

/* Where it is, and where once removal_begin() was called. The caller frees it;
 * NULL: out of memory. */
char *manifest_path(const struct repo_domain *domain, const char *point);
char *manifest_removed_path(const struct repo_domain *domain,
			    const char *point);

/*
 * Replaces the manifest of a point that is there. @manifest is complete, with
 * the domain's XML and NVRAM. Fields of the old one that are not known to this
 * version stay.
 */
int manifest_replace(const struct repo_domain *domain,
		     const struct manifest *manifest, struct err *err);

/*
 * Commits the point: everything its disks consist of must be durable before
 * (image_finish()). What it writes was read back by manifest_parse() first.
 * The domain is locked. -EEXIST: there is such a point.
 */
int manifest_commit(const struct repo_domain *domain,
		    const struct manifest *manifest, struct err *err);
