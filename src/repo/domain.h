/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One domain's part of a repository: a directory named after it.
 *
 * The name only finds the directory; the uuid in its manifests decides whose
 * it is.  So a renamed domain goes on in the directory it began in, and a new
 * domain that took over an old one's name is refused (-ESTALE) instead of
 * continuing the other's chain.
 *
 * Who writes holds the lock from before he looks until after he committed.
 * Readers do not mind: what is committed does not change.  Pruning is what
 * they do mind, so who reads images keeps it away with a lock of its own.
 */
#pragma once

#include <stddef.h>

#include "base/cleanup.h"
#include "base/uuid.h"
#include "repo/listing.h"

struct err;
struct repo;

struct repo_domain {
	char *path; /* REPO/DOMAIN */
	char repo_id[UUID_SIZE];
	int lock_fd;   /* -1: opened for reading */
	int reader_fd; /* keeps images in place; -1: does not */
};

/*
 * For a backup: finds the directory of the domain @uuid, or makes one named
 * after @name, and locks it. -EBUSY: another run has it. -ESTALE: the
 * directory holds points of another domain. To be closed by
 * repo_domain_close(), which unlocks.
 */
int repo_domain_lock(const struct repo *repo, const char *name,
		     const char *uuid, struct repo_domain **ret_domain,
		     struct err *err);

/*
 * For reading: by the domain's name, as it was at its newest point or as the
 * directory is called, or by its uuid.
 */
int repo_domain_open(const struct repo *repo, const char *name,
		     struct repo_domain **ret_domain, struct err *err);

/* The same, and locks it, as only a domain that has points can be. */
int repo_domain_lock_known(const struct repo *repo, const char *name,
			   struct repo_domain **ret_domain, struct err *err);

/*
 * Keeps the images of @domain where they are until it is closed. Waits for a
 * point that is being removed, ten minutes at most, then -EBUSY. Where the
 * lock cannot be had for want of permission, nothing can be removed by this
 * host either.
 */
int repo_domain_begin_reading(struct repo_domain *domain, struct err *err);

/* Until the descriptor it returns is closed, nobody begins to read. -EBUSY:
 * somebody does. */
int repo_domain_stop_readers(const struct repo_domain *domain, struct err *err);

void repo_domain_close(struct repo_domain *domain);
DEFINE_CLEANUP(struct repo_domain *, repo_domain_close);
#define _cleanup_repo_domain_ _cleanup_(cleanup_repo_domain_close)

/*
 * The directory names of all domains of @repo, sorted; each is taken by
 * repo_domain_open() after domain_name_decode(). Freed by strings_free().
 */
int repo_list_domains(const struct repo *repo, char ***ret_names,
		      size_t *ret_count, struct err *err);
