/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Repositories for tests: made and filled by the code they are to test. */
#pragma once

#include <string.h>

#include "base/err.h"
#include "check.h"
#include "repo/catalog.h"
#include "repo/domain.h"
#include "repo/manifest.h"
#include "repo/repo.h"

#define UUID_A "aaaaaaaa-aaaa-4aaa-8aaa-aaaaaaaaaaaa"
#define UUID_B "bbbbbbbb-bbbb-4bbb-8bbb-bbbbbbbbbbbb"
#define MIB (UINT64_C(1) << 20)

static inline struct repo *open_repo(const char *path)
{
	struct repo *repo = NULL;
	struct err err = {0};
	bool created;

	if (repo_open_or_create(path, &repo, &created, &err) < 0)
		test_failed("%s", err.text);
	return repo;
}

static inline struct repo_domain *
lock_domain(const struct repo *repo, const char *name, const char *uuid)
{
	struct repo_domain *domain = NULL;
	struct err err = {0};

	if (repo_domain_lock(repo, name, uuid, &domain, &err) < 0)
		test_failed("%s", err.text);
	return domain;
}

/* A manifest for the domain web with uuid UUID_A and one disk, vda. */
static inline struct manifest *make_point(const struct repo_domain *domain,
					  const char *point, const char *parent)
{
	struct manifest *manifest = manifest_new();
	struct manifest_disk *disk = manifest_add_disk(manifest, "vda");

	strcpy(manifest->point, point);
	strcpy(manifest->parent, parent);
	strcpy(manifest->repo_id, domain->repo_id);
	strcpy(manifest->domain_uuid, UUID_A);
	manifest->domain_name = strdup("web");
	manifest->domain_xml = strdup("<domain/>");
	disk->size_bytes = MIB;
	disk->block_bytes = 4096;
	strcpy(disk->backing, parent);
	disk->full = !*parent;
	return manifest;
}

static inline void commit(const struct repo_domain *domain,
			  const struct manifest *manifest)
{
	struct err err = {0};

	if (manifest_commit(domain, manifest, &err) < 0)
		test_failed("%s", err.text);
}

/* Commits a point made @created seconds after 1970. */
static inline void add_point(const struct repo_domain *domain,
			     const char *point, const char *parent,
			     time_t created)
{
	_cleanup_manifest_ struct manifest *manifest =
		make_point(domain, point, parent);

	manifest->created = created;
	commit(domain, manifest);
}

static inline struct catalog *load_catalog(const struct repo_domain *domain)
{
	struct catalog *catalog = NULL;
	struct err err = {0};

	if (catalog_load(domain, &catalog, &err) < 0)
		test_failed("%s", err.text);
	return catalog;
}
