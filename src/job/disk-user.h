/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which domains of this host stand on a file or device. */
#pragma once

#include "base/cleanup.h"

struct err;
struct stat;
struct vm_disk;
struct vm_domain;
struct vm_host;

/*
 * All domains but that of @uuid ("": all), as they run and as they will; an
 * array that ends with NULL. One that cannot be read (it is being undefined,
 * say) is left out.
 */
int disk_users_read(struct vm_host *host, const char *uuid,
		    struct vm_domain ***ret_domains, struct err *err);
void disk_users_free(struct vm_domain **domains);
DEFINE_CLEANUP(struct vm_domain **, disk_users_free);
#define _cleanup_disk_users_ _cleanup_(cleanup_disk_users_free)

/* The disk of @domain, but @except, that stands on @file; NULL: none does. */
const struct vm_disk *disk_user_find(const struct vm_domain *domain,
				     const struct vm_disk *except,
				     const struct stat *file);
