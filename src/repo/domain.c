/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * All manifests of one directory carry one uuid (the lock and the check below
 * see to it), so any one that can be read says whose it is.
 */
#include "repo/domain.h"

#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>

#include "base/err.h"
#include "base/io.h"
#include "base/lock.h"
#include "repo/catalog.h"
#include "repo/listing.h"
#include "repo/manifest.h"
#include "repo/repo.h"

#define READER_WAIT_MS 600000

void repo_domain_close(struct repo_domain *domain)
{
	if (!domain)
		return;
	if (domain->lock_fd >= 0)
		close(domain->lock_fd);
	if (domain->reader_fd >= 0)
		close(domain->reader_fd);
	free(domain->path);
	free(domain);
}

static struct repo_domain *domain_at(const struct repo *repo,
				     const char *directory, struct err *err)
{
	struct repo_domain *domain = calloc(1, sizeof(*domain));

	if (domain) {
		domain->lock_fd = domain->reader_fd = -1;
		memcpy(domain->repo_id, repo->id, UUID_SIZE);
		domain->path = io_format("%s/%s", repo->path, directory);
	}
	if (!domain || !domain->path) {
		repo_domain_close(domain);
		fail(err, -ENOMEM, "out of memory");
		return NULL;
	}
	return domain;
}

/*
 * The uuid of the domain whose points these are, "" if there are none.
 * -EBADMSG: there are some, but none can be read.
 */
static int owner(const struct repo_domain *domain, char ret_uuid[UUID_SIZE],
		 struct err *err)
{
	_cleanup_strings_ char **points = NULL;
	struct err first = {0};
	size_t count;
	int r = listing_points(domain, ".json", &points, &count, err);

	if (r < 0)
		return r;
	ret_uuid[0] = '\0';
	if (count == 0)
		return 0;
	for (size_t i = 0; i < count; i++) {
		_cleanup_manifest_ struct manifest *manifest = NULL;

		if (manifest_read(domain, points[i], &manifest, &first) < 0)
			continue;
		memcpy(ret_uuid, manifest->domain_uuid, UUID_SIZE);
		return 0;
	}
	return fail(err, first.code, "%s", first.text);
}

static bool exists(const struct repo_domain *domain)
{
	return access(domain->path, F_OK) == 0;
}

/* It leads nowhere else. What is not there yet does not either. */
static int check_places(const struct repo_domain *domain, struct err *err)
{
	static const char *const names[] = {"", "/points", "/disks"};
	int r = 0;

	for (size_t i = 0; r == 0 && i < 3; i++) {
		_cleanup_free_ char *path =
			io_format("%s%s", domain->path, names[i]);
		struct err why = {0};

		r = path ? io_check_directory(path, &why)
			 : fail(&why, -ENOMEM, "out of memory");
		if (r == -ENOENT)
			r = 0;
		if (r < 0)
			fail(err, r, "%s", why.text);
	}
	return r;
}

typedef bool (*match_function)(const struct repo_domain *domain,
			       const char *wanted);

static bool owner_is(const struct repo_domain *domain, const char *uuid)
{
	char found[UUID_SIZE];

	return owner(domain, found, NULL) == 0 && strcasecmp(found, uuid) == 0;
}

static bool newest_name_is(const struct repo_domain *domain, const char *name)
{
	_cleanup_catalog_ struct catalog *catalog = NULL;
	const struct manifest *newest;

	if (catalog_load(domain, &catalog, NULL) < 0)
		return false;
	newest = catalog_newest(catalog);
	return newest && strcmp(newest->domain_name, name) == 0;
}

/* The first directory that @match says is @wanted; NULL in it: none is. */
static int scan(const struct repo *repo, match_function match,
		const char *wanted, struct repo_domain **ret_domain,
		struct err *err)
{
	_cleanup_strings_ char **names = NULL;
	size_t count;
	int r = repo_list_domains(repo, &names, &count, err);

	if (r < 0)
		return r;
	*ret_domain = NULL;
	for (size_t i = 0; i < count; i++) {
		_cleanup_repo_domain_ struct repo_domain *domain =
			domain_at(repo, names[i], err);

		if (!domain)
			return -ENOMEM;
		if (check_places(domain, NULL) < 0 || !match(domain, wanted))
			continue;
		*ret_domain = TAKE_PTR(domain);
		return 0;
	}
	return 0;
}

/* Makes a directory in @parent, durably; one that is there is fine. */
static int make_dir(const char *parent, const char *name, struct err *err)
{
	_cleanup_free_ char *path = io_format("%s/%s", parent, name);

	if (!path)
		return fail(err, -ENOMEM, "out of memory");
	if (mkdir(path, 0700) < 0 && errno != EEXIST)
		return fail_errno(err, -errno, "%s", path);
	/* Whoever made it may have been killed before this. */
	return io_sync_dir(parent, err);
}

/* It is there from the beginning, so that who only reads makes nothing. */
static int make_reader_lock(const struct repo_domain *domain, struct err *err)
{
	_cleanup_free_ char *path = io_format("%s/.reading", domain->path);
	_cleanup_close_ int fd = -1;

	if (!path)
		return fail(err, -ENOMEM, "out of memory");
	fd = io_open_regular(path, O_RDWR | O_CREAT, err);
	return fd < 0 ? fd : 0;
}

static int make_and_lock(const struct repo *repo, struct repo_domain *domain,
			 struct err *err)
{
	_cleanup_free_ char *lock = io_format("%s/.lock", domain->path);
	int r = make_dir(repo->path, strrchr(domain->path, '/') + 1, err);

	if (r < 0)
		return r;
	if (!lock)
		return fail(err, -ENOMEM, "out of memory");
	domain->lock_fd = lock_take(lock, 0, err);
	if (domain->lock_fd < 0)
		return domain->lock_fd;
	r = make_reader_lock(domain, err);
	if (r == 0)
		r = make_dir(domain->path, "points", err);
	return r < 0 ? r : make_dir(domain->path, "disks", err);
}

/* The directory that is the domain's by its uuid, else the one by its name. */
static int locate(const struct repo *repo, const char *name, const char *uuid,
		  struct repo_domain **ret_domain, struct err *err)
{
	_cleanup_repo_domain_ struct repo_domain *named = NULL, *found = NULL;
	_cleanup_free_ char *directory = domain_name_encode(name, err);
	int r;

	if (!directory)
		return err && err->code ? err->code : -EINVAL;
	named = domain_at(repo, directory, err);
	if (!named)
		return -ENOMEM;
	r = check_places(named, err);
	if (r < 0)
		return r;
	if (!owner_is(named, uuid)) {
		r = scan(repo, owner_is, uuid, &found, err);
		if (r < 0)
			return r;
	}
	*ret_domain = found ? TAKE_PTR(found) : TAKE_PTR(named);
	return 0;
}

int repo_domain_lock(const struct repo *repo, const char *name,
		     const char *uuid, struct repo_domain **ret_domain,
		     struct err *err)
{
	_cleanup_repo_domain_ struct repo_domain *domain = NULL;
	char found[UUID_SIZE];
	int r = locate(repo, name, uuid, &domain, err);

	if (r == 0)
		r = make_and_lock(repo, domain, err);
	if (r == 0)
		r = owner(domain, found, err);
	if (r < 0)
		return r;
	if (found[0] && strcasecmp(found, uuid) != 0)
		return fail(err, -ESTALE,
			    "%s holds the points of another domain (uuid %s); "
			    "rename that directory to keep both, or use "
			    "another repository",
			    domain->path, found);
	*ret_domain = TAKE_PTR(domain);
	return 0;
}

int repo_domain_open(const struct repo *repo, const char *name,
		     struct repo_domain **ret_domain, struct err *err)
{
	_cleanup_repo_domain_ struct repo_domain *domain = NULL;
	_cleanup_free_ char *directory = domain_name_encode(name, err);
	int r = 0;

	if (!directory)
		return err && err->code ? err->code : -EINVAL;
	domain = domain_at(repo, directory, err);
	if (!domain)
		return -ENOMEM;
	r = check_places(domain, err);
	if (r < 0)
		return r;
	if (!exists(domain)) {
		repo_domain_close(TAKE_PTR(domain));
		r = scan(repo, uuid_valid(name) ? owner_is : newest_name_is,
			 name, &domain, err);
	}
	if (r < 0)
		return r;
	if (!domain)
		return fail(err, -ENOENT,
			    "%s has no points of a domain %s; 'dsync-vm list "
			    "%s' shows what it has",
			    repo->path, name, repo->path);
	*ret_domain = TAKE_PTR(domain);
	return 0;
}

int repo_domain_lock_known(const struct repo *repo, const char *name,
			   struct repo_domain **ret_domain, struct err *err)
{
	_cleanup_repo_domain_ struct repo_domain *domain = NULL;
	_cleanup_free_ char *lock = NULL;
	int r = repo_domain_open(repo, name, &domain, err);

	if (r < 0)
		return r;
	lock = io_format("%s/.lock", domain->path);
	if (!lock)
		return fail(err, -ENOMEM, "out of memory");
	domain->lock_fd = lock_take(lock, 0, err);
	if (domain->lock_fd < 0)
		return domain->lock_fd;
	*ret_domain = TAKE_PTR(domain);
	return 0;
}

int repo_domain_begin_reading(struct repo_domain *domain, struct err *err)
{
	_cleanup_free_ char *path = io_format("%s/.reading", domain->path);
	struct err why = {0};

	if (!path)
		return fail(err, -ENOMEM, "out of memory");
	domain->reader_fd = lock_share(path, READER_WAIT_MS, &why);
	if (domain->reader_fd >= 0 || domain->reader_fd == -EROFS ||
	    domain->reader_fd == -EACCES)
		return 0;
	if (domain->reader_fd == -EBUSY)
		return fail(err, -EBUSY,
			    "%s: a point is being removed (prune); try again "
			    "later",
			    domain->path);
	return fail(err, why.code, "%s", why.text);
}

int repo_domain_stop_readers(const struct repo_domain *domain, struct err *err)
{
	_cleanup_free_ char *path = io_format("%s/.reading", domain->path);
	struct err why = {0};
	int fd;

	if (!path)
		return fail(err, -ENOMEM, "out of memory");
	fd = lock_take(path, 0, &why);
	if (fd == -EBUSY)
		return fail(err, fd,
			    "%s: is being read (restore, export or "
			    "verify)",
			    domain->path);
	return fd < 0 ? fail(err, fd, "%s", why.text) : fd;
}

static bool is_domain_directory(const char *path, const char *name)
{
	_cleanup_free_ char *decoded = domain_name_decode(name);
	_cleanup_free_ char *points = io_format("%s/%s/points", path, name);
	struct stat st;

	return decoded && points && stat(points, &st) == 0 &&
	       S_ISDIR(st.st_mode);
}

int repo_list_domains(const struct repo *repo, char ***ret_names,
		      size_t *ret_count, struct err *err)
{
	_cleanup_strings_ char **names = NULL;
	size_t count, kept = 0;
	int r = listing_read(repo->path, "", &names, &count, err);

	if (r < 0)
		return r;
	for (size_t i = 0; i < count; i++) {
		char *name = names[i];

		names[i] = NULL;
		if (is_domain_directory(repo->path, name))
			names[kept++] = name;
		else
			free(name);
	}
	*ret_names = TAKE_PTR(names);
	*ret_count = kept;
	return 0;
}
