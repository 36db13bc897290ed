/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Making a repository of an empty directory is done under a lock: two first
 * backups at the same time must agree on one id.
 */
#include "repo/repo.h"

#include <dirent.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>

#include "base/err.h"
#include "base/io.h"
#include "base/lock.h"
#include "repo/json.h"

#define FILE_NAME "dsync-repo.json"
#define FORMAT 1
#define MAX_BYTES (64 * 1024)
#define LOCK_WAIT_MS 5000

void repo_close(struct repo *repo)
{
	if (!repo)
		return;
	free(repo->path);
	free(repo);
}

static int parse_id(const char *text, size_t size_bytes, char ret_id[UUID_SIZE],
		    struct err *err)
{
	_cleanup_json_ struct json_object *object = NULL;
	const char *id;
	uint64_t format;
	int r = json_parse(text, size_bytes, &object, err);

	if (r == 0)
		r = json_get_uint(object, "format", UINT32_MAX, &format, err);
	if (r < 0)
		return r;
	if (format != FORMAT)
		return fail(err, -EOPNOTSUPP,
			    "format %u is not known to this version of "
			    "dsync-vm, which knows %d; use a newer one",
			    (unsigned int)format, FORMAT);
	r = json_get_string(object, "id", &id, err);
	if (r < 0)
		return r;
	if (!uuid_valid(id))
		return fail(err, -EBADMSG, "\"id\" is not a uuid");
	memcpy(ret_id, id, UUID_SIZE);
	return 0;
}

static int read_id(const char *path, char ret_id[UUID_SIZE], struct err *err)
{
	_cleanup_free_ char *file = io_format("%s/%s", path, FILE_NAME);
	_cleanup_free_ char *text = NULL;
	size_t size_bytes;
	int r;

	if (!file)
		return fail(err, -ENOMEM, "out of memory");
	r = io_read_regular(file, MAX_BYTES, &text, &size_bytes, err);
	if (r < 0)
		return r;
	r = parse_id(text, size_bytes, ret_id, err);
	if (r < 0)
		err_prefix(err, "%s", file);
	return r;
}

/* What a new file system, or our own first steps, may have left in it. */
static bool counts_as_nothing(const char *name)
{
	static const char *const nothing[] = {".", "..", "lost+found", ".lock",
					      FILE_NAME ".tmp"};

	for (size_t i = 0; i < sizeof(nothing) / sizeof(*nothing); i++)
		if (strcmp(name, nothing[i]) == 0)
			return true;
	return false;
}

static int is_empty(const char *path, bool *ret_empty, struct err *err)
{
	_cleanup_closedir_ DIR *dir = opendir(path);
	struct dirent *entry;

	if (!dir)
		return fail_errno(err, -errno, "%s", path);
	errno = 0;
	while ((entry = readdir(dir)))
		if (!counts_as_nothing(entry->d_name)) {
			*ret_empty = false;
			return 0;
		}
	if (errno)
		return fail_errno(err, -errno, "%s", path);
	*ret_empty = true;
	return 0;
}

/* The absolute path of a directory that is there. */
static int resolve(const char *path, char **ret_path, struct err *err)
{
	_cleanup_free_ char *resolved = NULL;
	struct stat st;

	if (!*path)
		return fail(err, -EINVAL, "the repository's path is empty");
	resolved = realpath(path, NULL);
	if (!resolved && errno == ENOENT)
		return fail(err, -ENOENT,
			    "%s: no such directory; is it mounted?", path);
	if (!resolved || stat(resolved, &st) < 0)
		return fail_errno(err, -errno, "%s", path);
	if (!S_ISDIR(st.st_mode))
		return fail(err, -ENOTDIR,
			    "%s: a repository is a directory, and this is none",
			    path);
	*ret_path = TAKE_PTR(resolved);
	return 0;
}

/* Says whether there is a dsync-repo.json, and if not, whether it may come. */
static int look(const char *path, bool *ret_is_repo, bool *ret_empty,
		struct err *err)
{
	_cleanup_free_ char *file = io_format("%s/%s", path, FILE_NAME);
	int r;

	if (!file)
		return fail(err, -ENOMEM, "out of memory");
	*ret_is_repo = access(file, F_OK) == 0;
	if (*ret_is_repo)
		return 0;
	if (errno != ENOENT)
		return fail_errno(err, -errno, "%s", file);
	r = is_empty(path, ret_empty, err);
	/* Another first backup may have been at it: the file comes before all
	 * else. */
	if (r == 0 && !*ret_empty)
		*ret_is_repo = access(file, F_OK) == 0;
	return r;
}

static int write_id(const char *path, struct err *err)
{
	_cleanup_json_ struct json_object *object = json_new();
	_cleanup_free_ char *file = io_format("%s/%s", path, FILE_NAME);
	_cleanup_free_ char *text = NULL;
	char id[UUID_SIZE], again[UUID_SIZE];
	int r = uuid_new(id, err);

	if (r < 0)
		return r;
	json_add_uint(object, "format", FORMAT);
	json_add_string(object, "id", id);
	text = json_text(object);
	if (!file || !text || parse_id(text, strlen(text), again, NULL) < 0)
		return fail(err, -ENOMEM, "out of memory");
	return io_replace_file(file, text, strlen(text), 0444, err);
}

static int create(const char *path, bool *ret_created, struct err *err)
{
	_cleanup_free_ char *lock_path = io_format("%s/.lock", path);
	_cleanup_close_ int lock_fd = -1;
	bool is_repo, empty;
	int r;

	if (!lock_path)
		return fail(err, -ENOMEM, "out of memory");
	lock_fd = lock_take(lock_path, LOCK_WAIT_MS, err);
	if (lock_fd < 0)
		return lock_fd;
	r = look(path, &is_repo, &empty, err);
	if (r < 0 || is_repo || !empty)
		return r;
	r = write_id(path, err);
	*ret_created = r == 0;
	return r;
}

static int open_checked(const char *path, bool may_create,
			struct repo **ret_repo, bool *ret_created,
			struct err *err)
{
	_cleanup_repo_ struct repo *repo = calloc(1, sizeof(*repo));
	bool is_repo = false, empty = false, created = false;
	int r;

	if (!repo)
		return fail(err, -ENOMEM, "out of memory");
	r = resolve(path, &repo->path, err);
	if (r == 0)
		r = look(repo->path, &is_repo, &empty, err);
	if (r < 0)
		return r;
	if (!is_repo && !empty)
		return fail(err, -ENOTEMPTY,
			    "%s: not a repository, and not empty; give an "
			    "empty directory to make it one",
			    path);
	if (!is_repo && !may_create)
		return fail(err, -ENOENT,
			    "%s: not a repository but an empty directory; is "
			    "it mounted?",
			    path);
	if (!is_repo)
		r = create(repo->path, &created, err);
	if (r == 0)
		r = read_id(repo->path, repo->id, err);
	if (r < 0)
		return r;
	if (ret_created)
		*ret_created = created;
	*ret_repo = TAKE_PTR(repo);
	return 0;
}

int repo_open(const char *path, struct repo **ret_repo, struct err *err)
{
	return open_checked(path, false, ret_repo, NULL, err);
}

int repo_open_or_create(const char *path, struct repo **ret_repo,
			bool *ret_created, struct err *err)
{
	return open_checked(path, true, ret_repo, ret_created, err);
}
