/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which targets there are is what directories of pending sets there are. */
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/io.h"
#include "repo/listing.h"
#include "repo/pending-file.h"
#include "repo/pending.h"

int pending_list_ids(const char *state_dir, char ***ret_ids, size_t *ret_count,
		     struct err *err)
{
	_cleanup_free_ char *path = io_format("%s/pending", state_dir);

	if (!path)
		return fail(err, -ENOMEM, "out of memory");
	return listing_read(path, "", ret_ids, ret_count, err);
}

void pending_targets_free(struct pending_targets *targets)
{
	if (!targets)
		return;
	for (size_t i = 0; i < targets->nr_targets; i++)
		free(targets->targets[i].location);
	free(targets->targets);
	free(targets);
}

/* As the first of the target's files says that can be read. */
static char *find_location(const char *state_dir, const char *repo_id)
{
	_cleanup_free_ char *directory =
		io_format("%s/pending/%s", state_dir, repo_id);
	_cleanup_strings_ char **disks = NULL;
	size_t count = 0;

	if (!directory)
		return NULL;
	(void)listing_read(directory, "", &disks, &count, NULL);
	for (size_t i = 0; i < count; i++) {
		_cleanup_pending_ struct pending *pending =
			pending_peek(state_dir, repo_id, disks[i]);

		if (pending && pending->location[0])
			return TAKE_PTR(pending->location);
	}
	return strdup("");
}

int pending_targets(const char *state_dir, struct pending_targets **ret_targets,
		    struct err *err)
{
	_cleanup_pending_targets_ struct pending_targets *targets =
		calloc(1, sizeof(*targets));
	_cleanup_strings_ char **ids = NULL;
	size_t count;
	int r = pending_list_ids(state_dir, &ids, &count, err);

	if (r < 0)
		return r;
	if (targets)
		targets->targets = calloc(count + 1, sizeof(*targets->targets));
	if (!targets || !targets->targets)
		return fail(err, -ENOMEM, "out of memory");
	for (size_t i = 0; i < count; i++) {
		struct pending_target *target =
			&targets->targets[targets->nr_targets];

		if (!uuid_valid(ids[i]))
			continue;
		target->location = find_location(state_dir, ids[i]);
		if (!target->location)
			return fail(err, -ENOMEM, "out of memory");
		snprintf(target->repo_id, UUID_SIZE, "%s", ids[i]);
		targets->nr_targets++;
	}
	*ret_targets = TAKE_PTR(targets);
	return 0;
}
