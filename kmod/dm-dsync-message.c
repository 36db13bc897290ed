// SPDX-License-Identifier: GPL-2.0-only
/*
 * Messages: what `dmsetup message NAME 0 ...` may ask for.
 *
 * None of them waits for I/O to the tracked device, and our workers are not
 * stopped by a suspend, so all work while the device is suspended (epoch_begin
 * only then; flush leaves the work to the worker). META_DEV is not waited for
 * longer than meta_timeout_ms: ETIMEDOUT.
 *
 * A message keeps its table alive, so no suspend gets through before it ends.
 */
#include <linux/device-mapper.h>
#include <linux/kernel.h>
#include <linux/string.h>
#include <linux/uuid.h>

#include "dm-dsync-hold.h"
#include "dm-dsync-meta.h"
#include "dm-dsync.h"
#include "uapi/dsync.h"

/* A nil uuid stands for "none" and is refused like a malformed one. */
static int parse_id(const char *arg, uuid_t *id)
{
	if (strlen(arg) != UUID_STRING_LEN || uuid_parse(arg, id) ||
	    uuid_is_null(id)) {
		DMERR("'%s' is not a uuid", arg);
		return -EINVAL;
	}
	return 0;
}

static int message_epoch(struct dsync *ds, char **argv,
			 int (*verb)(struct dsync_epochs *ep, const uuid_t *id))
{
	uuid_t id;
	int r = parse_id(argv[1], &id);

	return r ? r : verb(ds->epochs, &id);
}

static int handle_epoch_begin(struct dsync *ds, unsigned int argc, char **argv)
{
	int r = message_epoch(ds, argv, dsync_epoch_begin);

	if (r == -EBUSY)
		DMERR("epoch_begin: suspend the device first");
	return r;
}

static int handle_epoch_end(struct dsync *ds, unsigned int argc, char **argv)
{
	return message_epoch(ds, argv, dsync_epoch_end);
}

static int handle_epoch_abort(struct dsync *ds, unsigned int argc, char **argv)
{
	return message_epoch(ds, argv, dsync_epoch_abort);
}

/* A bitmap that lives in RAM has nothing to be written to. */
static int handle_flush(struct dsync *ds, unsigned int argc, char **argv)
{
	return ds->meta ? dsync_meta_flush(ds->meta) : 0;
}

static int parse_range(struct dsync *ds, char **argv, u64 *first, u64 *count)
{
	u64 nr = dsync_nr_blocks(&ds->geo);

	if (kstrtou64(argv[0], 10, first) || kstrtou64(argv[1], 10, count) ||
	    *first >= nr || !*count || *count > nr - *first) {
		DMERR("release: '%s %s' are not blocks of this device", argv[0],
		      argv[1]);
		return -EINVAL;
	}
	return 0;
}

/* All ranges are looked at before anything is done. */
static int handle_release(struct dsync *ds, unsigned int argc, char **argv)
{
	u64 first, count;
	unsigned int i;
	int r = 0;

	if (argc % 2 == 0) {
		DMERR("release: a COUNT is missing");
		return -EINVAL;
	}
	for (i = 1; i < argc && !r; i += 2)
		r = parse_range(ds, argv + i, &first, &count);
	for (i = 1; i < argc && !r; i += 2) {
		parse_range(ds, argv + i, &first, &count);
		r = dsync_hold_release(ds->epochs, first, count);
	}
	if (r == -ENODATA)
		DMERR("release: no hold is armed");
	return r;
}

static const struct {
	const char *name;
	unsigned int min_argc, max_argc;
	int (*handle)(struct dsync *ds, unsigned int argc, char **argv);
	const char *usage;
} messages[] = {
	{DSYNC_MSG_EPOCH_BEGIN, 2, 2, handle_epoch_begin, "UUID"},
	{DSYNC_MSG_EPOCH_END, 2, 2, handle_epoch_end, "UUID"},
	{DSYNC_MSG_EPOCH_ABORT, 2, 2, handle_epoch_abort, "UUID"},
	{DSYNC_MSG_FLUSH, 1, 1, handle_flush, ""},
	{DSYNC_MSG_RELEASE, 3, UINT_MAX, handle_release, "FIRST COUNT ..."},
};

/**
 * dsync_message() - handles one message
 * @ti: the target
 * @argc: number of words
 * @argv: the words
 * @result: not used
 * @maxlen: not used
 *
 * Return: 0 or a negative error, which the log explains unless it is -ESTALE.
 *
 * Context: may sleep; takes the epochs lock.
 */
int dsync_message(struct dm_target *ti, unsigned int argc, char **argv,
		  char *result, unsigned int maxlen)
{
	struct dsync *ds = ti->private;
	unsigned int i;

	if (!smp_load_acquire(&ds->live)) {
		DMERR("%s: resume the device first", argv[0]);
		return -EBUSY;
	}
	for (i = 0; i < ARRAY_SIZE(messages); i++) {
		if (strcmp(argv[0], messages[i].name))
			continue;
		if (argc < messages[i].min_argc ||
		    argc > messages[i].max_argc) {
			DMERR("usage: %s %s", argv[0], messages[i].usage);
			return -EINVAL;
		}
		return messages[i].handle(ds, argc, argv);
	}
	DMERR("unknown message '%s'", argv[0]);
	return -EINVAL;
}
