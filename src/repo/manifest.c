/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Memory, lookup and the files; the text itself is made in manifest-write.c
 * and read in manifest-parse.c.
 */
#include "repo/manifest.h"

#include <string.h>

#include "base/err.h"
#include "base/io.h"
#include "repo/domain.h"

struct manifest *manifest_new(void)
{
	return calloc(1, sizeof(struct manifest));
}

void manifest_free(struct manifest *manifest)
{
	if (!manifest)
		return;
	for (size_t i = 0; i < manifest->nr_disks; i++)
		free(manifest->disks[i].target);
	for (size_t i = 0; i < manifest->nr_left_out; i++) {
		free(manifest->left_out[i].target);
		free(manifest->left_out[i].reason);
	}
	free(manifest->disks);
	free(manifest->left_out);
	free(manifest->domain_name);
	free(manifest->domain_xml);
	free(manifest->nvram);
	free(manifest);
}

struct manifest_disk *manifest_add_disk(struct manifest *manifest,
					const char *target)
{
	_cleanup_free_ char *copy = strdup(target);
	struct manifest_disk *bigger = reallocarray(
		manifest->disks, manifest->nr_disks + 1, sizeof(*bigger));

	if (bigger)
		manifest->disks = bigger;
	if (!copy || !bigger)
		return NULL;
	bigger += manifest->nr_disks++;
	*bigger = (struct manifest_disk){.target = TAKE_PTR(copy)};
	return bigger;
}

/* A copy on one line. */
static char *one_line(const char *text)
{
	char *copy = strdup(text);

	for (char *p = copy; p && *p; p++)
		if ((unsigned char)*p < ' ' || *p == 0x7f)
			*p = ' ';
	return copy;
}

int manifest_add_left_out(struct manifest *manifest, const char *target,
			  const char *reason)
{
	_cleanup_free_ char *copy = one_line(target), *line = one_line(reason);
	struct manifest_left_out *bigger = reallocarray(
		manifest->left_out, manifest->nr_left_out + 1, sizeof(*bigger));

	if (bigger)
		manifest->left_out = bigger;
	if (!copy || !line || !bigger)
		return -ENOMEM;
	bigger[manifest->nr_left_out++] = (struct manifest_left_out){
		.target = TAKE_PTR(copy), .reason = TAKE_PTR(line)};
	return 0;
}

const struct manifest_disk *manifest_find_disk(const struct manifest *manifest,
					       const char *target)
{
	for (size_t i = 0; i < manifest->nr_disks; i++)
		if (strcmp(manifest->disks[i].target, target) == 0)
			return &manifest->disks[i];
	return NULL;
}

const char *consistency_name(enum consistency consistency)
{
	static const char *const names[] = {
		[CONSISTENCY_FROZEN] = "frozen",
		[CONSISTENCY_CRASH] = "crash",
		[CONSISTENCY_OFFLINE] = "offline",
		[CONSISTENCY_TORN] = "torn",
	};

	return names[consistency];
}

char *manifest_path(const struct repo_domain *domain, const char *point)
{
	return io_format("%s/points/%s.json", domain->path, point);
}

char *manifest_removed_path(const struct repo_domain *domain, const char *point)
{
	return io_format("%s/points/%s.json.removed", domain->path, point);
}

static int read_path(const char *path, const char *point,
		     struct manifest **ret_manifest, struct err *err)
{
	_cleanup_free_ char *text = NULL;
	size_t size_bytes;
	int r;

	if (!point_valid(point))
		return fail(err, -EINVAL, "%s: not the name of a point", point);
	if (!path)
		return fail(err, -ENOMEM, "out of memory");
	r = io_read_regular(path, MANIFEST_MAX_BYTES, &text, &size_bytes, err);
	if (r < 0)
		return r;
	r = manifest_parse(text, size_bytes, point, ret_manifest, err);
	if (r < 0)
		err_prefix(err, "%s", path);
	return r;
}

int manifest_read(const struct repo_domain *domain, const char *point,
		  struct manifest **ret_manifest, struct err *err)
{
	_cleanup_free_ char *path = manifest_path(domain, point);

	return read_path(path, point, ret_manifest, err);
}

int manifest_read_removed(const struct repo_domain *domain, const char *point,
			  struct manifest **ret_manifest, struct err *err)
{
	_cleanup_free_ char *path = manifest_removed_path(domain, point);

	return read_path(path, point, ret_manifest, err);
}

/* What cannot be read back was not written: memory ran out, or a bug. */
static int check_text(const char *text, const char *point, struct err *err)
{
	_cleanup_manifest_ struct manifest *again = NULL;
	int r;

	if (strlen(text) > MANIFEST_MAX_BYTES)
		return fail(err, -EFBIG, "the manifest would be too large");
	r = manifest_parse(text, strlen(text), point, &again, err);
	if (r < 0)
		err_prefix(err, "manifest about to be written");
	return r;
}

static int store(const char *path, const char *text,
		 const struct manifest *manifest, struct err *err)
{
	int r;

	if (!text)
		return fail(err, -ENOMEM, "out of memory");
	r = check_text(text, manifest->point, err);
	return r < 0 ? r : io_replace_file(path, text, strlen(text), 0400, err);
}

int manifest_replace(const struct repo_domain *domain,
		     const struct manifest *manifest, struct err *err)
{
	_cleanup_free_ char *path = manifest_path(domain, manifest->point);
	_cleanup_free_ char *old = NULL, *text = NULL;
	size_t size_bytes;
	int r;

	if (!path)
		return fail(err, -ENOMEM, "out of memory");
	r = io_read_regular(path, MANIFEST_MAX_BYTES, &old, &size_bytes, err);
	if (r < 0)
		return r;
	text = manifest_text_over(old, size_bytes, manifest);
	return store(path, text, manifest, err);
}

int manifest_commit(const struct repo_domain *domain,
		    const struct manifest *manifest, struct err *err)
{
	_cleanup_free_ char *path = manifest_path(domain, manifest->point);
	_cleanup_free_ char *text = manifest_text(manifest);

	if (!path)
		return fail(err, -ENOMEM, "out of memory");
	if (access(path, F_OK) == 0)
		return fail(err, -EEXIST, "%s: there is such a point already",
			    path);
	return store(path, text, manifest, err);
}
