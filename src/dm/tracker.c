/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The status line is text because dmsetup shows it to people; it is read here
 * and nowhere else.  Parsing allocates nothing: the cut reads it while disks
 * are suspended.  Pairs with an unknown key are skipped, so that a newer
 * module can have more counters.
 */
#include "dm/tracker.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "base/io.h"
#include "dm/device.h"

#define MAX_WORDS 128

static const char *const state_names[] = {
	[TRACKER_CLEAN] = "clean",         [TRACKER_RECOVERED] = "recovered",
	[TRACKER_DEGRADED] = "degraded",   [TRACKER_LOST] = "lost",
	[TRACKER_UNTRACKED] = "untracked",
};

static const char *const hold_names[] = {
	[TRACKER_HOLD_NONE] = "none",
	[TRACKER_HOLD_READY] = "ready",
	[TRACKER_HOLD_ARMED] = "armed",
	[TRACKER_HOLD_INVALID] = "invalid",
};

#define COUNT(array) ((int)(sizeof(array) / sizeof(*(array))))

const char *tracker_state_name(enum tracker_state state)
{
	return state_names[state];
}

static int word_index(const char *word, const char *const words[], int nr_words)
{
	for (int i = 0; i < nr_words; i++)
		if (strcmp(word, words[i]) == 0)
			return i;
	return -EINVAL;
}

static int parse_count(const char *word, uint64_t *ret_value)
{
	char *end;

	errno = 0;
	*ret_value = strtoull(word, &end, 10);
	if (errno || end == word || *end || word[0] == '-')
		return -EINVAL;
	return 0;
}

static int parse_id(const char *word, char ret_id[UUID_SIZE])
{
	if (strcmp(word, "-") == 0)
		ret_id[0] = '\0';
	else if (uuid_valid(word))
		memcpy(ret_id, word, UUID_SIZE);
	else
		return -EINVAL;
	return 0;
}

static int parse_pair(const char *key, const char *value,
		      struct tracker_status *status)
{
	static const struct {
		const char *key;
		size_t offset;
	} counters[] = {
#define COUNTER(name) {#name, offsetof(struct tracker_status, name)}
		COUNTER(suspends),        COUNTER(intent_commits),
		COUNTER(metadata_writes), COUNTER(hold_copies),
		COUNTER(hold_used),       COUNTER(hold_size),
#undef COUNTER
	};
	int word;

	if (strcmp(key, "open") == 0)
		return parse_id(value, status->open);
	if (strcmp(key, "uuid") == 0)
		return parse_id(value, status->uuid);
	if (strcmp(key, "hold") == 0) {
		word = word_index(value, hold_names, COUNT(hold_names));
		if (word >= 0)
			status->hold = word;
		return word < 0 ? word : 0;
	}
	for (int i = 0; i < COUNT(counters); i++)
		if (strcmp(key, counters[i].key) == 0)
			return parse_count(value,
					   (uint64_t *)((char *)status +
							counters[i].offset));
	return 0;
}

static int parse_words(char *words[], int nr_words,
		       struct tracker_status *status)
{
	uint64_t block_sectors;
	int state;

	if (nr_words < 7 || (nr_words - 7) % 2)
		return -EINVAL;
	state = word_index(words[0], state_names, TRACKER_UNTRACKED);
	if (state < 0 || parse_count(words[1], &block_sectors) < 0 ||
	    !block_sectors || block_sectors > UINT32_MAX ||
	    parse_count(words[2], &status->nr_blocks) < 0 ||
	    parse_id(words[3], status->epoch) < 0 ||
	    parse_count(words[4], &status->dirty) < 0 ||
	    parse_count(words[5], &status->frozen) < 0 ||
	    parse_count(words[6], &status->suspect) < 0)
		return -EINVAL;
	status->state = state;
	status->block_sectors = block_sectors;
	for (int i = 7; i < nr_words; i += 2)
		if (parse_pair(words[i], words[i + 1], status) < 0)
			return -EINVAL;
	return 0;
}

int tracker_status_parse(const char *params, struct tracker_status *ret_status,
			 struct err *err)
{
	struct tracker_status status = {0};
	char copy[DEVICE_PARAMS_SIZE], *words[MAX_WORDS], *rest = NULL;
	int nr_words = 0;

	snprintf(copy, sizeof(copy), "%s", params);
	for (char *word = strtok_r(copy, " ", &rest); word;
	     word = strtok_r(NULL, " ", &rest)) {
		if (nr_words == MAX_WORDS)
			break;
		words[nr_words++] = word;
	}
	if (parse_words(words, nr_words, &status) < 0)
		return fail(err, -EPROTO,
			    "status '%.200s' is not understood; do module and "
			    "tool belong to the same version?",
			    params);
	*ret_status = status;
	return 0;
}

int tracker_status(const char *name, struct tracker_status *ret_status,
		   struct err *err)
{
	struct tracker_status status = {.state = TRACKER_UNTRACKED};
	struct device_line line;
	int r = device_status(name, &line, err);

	if (r < 0)
		return r;
	if (strcmp(line.type, "dsync") == 0)
		r = tracker_status_parse(line.params, &status, err);
	else if (strcmp(line.type, "linear") != 0)
		r = fail(err, -EINVAL, "target '%s' is no tracker", line.type);
	if (r < 0) {
		err_prefix(err, "%s", name);
		return r;
	}
	status.size_sectors = line.length_sectors;
	if (status.state == TRACKER_UNTRACKED) {
		/* As it would be cut: a target's pending set has blocks. */
		status.block_sectors = TRACKER_BLOCK_SECTORS;
		status.nr_blocks =
			(line.length_sectors - 1) / TRACKER_BLOCK_SECTORS + 1;
	}
	*ret_status = status;
	return 0;
}

static int epoch_message(const char *name, const char *verb, const char *epoch,
			 struct err *err)
{
	char message[32 + UUID_SIZE];
	int r;

	snprintf(message, sizeof(message), "%s %s", verb, epoch);
	r = device_message(name, message, NULL);
	switch (r) {
	case 0:
		return 0;
	case -EBUSY:
		return fail(err, r, "%s on %s: the device is not suspended",
			    verb, name);
	case -ESTALE:
		return fail(err, r, "%s on %s: another epoch is open", verb,
			    name);
	default:
		return fail_errno(err, r, "%s on %s", verb, name);
	}
}

/*
 * It fails if that is when the metadata device does; after which the module
 * goes on in RAM, so that a second time it does not.
 */
int tracker_epoch_end(const char *name, const char *epoch, struct err *err)
{
	if (epoch_message(name, "epoch_end", epoch, NULL) == 0)
		return 0;
	return epoch_message(name, "epoch_end", epoch, err);
}

int tracker_epoch_abort(const char *name, const char *epoch, struct err *err)
{
	return epoch_message(name, "epoch_abort", epoch, err);
}

int tracker_flush(const char *name, struct err *err)
{
	return device_message(name, "flush", err);
}

static int open_proc(const char *name, const char *file, int flags,
		     struct err *err)
{
	char path[64 + DISK_NAME_SIZE];
	int fd;

	snprintf(path, sizeof(path), "/proc/dsync/%s/%s", name, file);
	fd = open(path, flags | O_CLOEXEC);
	return fd < 0 ? fail_errno(err, -errno, "%s", path) : fd;
}

int tracker_read_map(const char *name, enum tracker_map which,
		     struct bitmap **ret_map, struct err *err)
{
	const char *file = which == TRACKER_MAP_FROZEN ? "frozen" : "bitmap";
	_cleanup_bitmap_ struct bitmap *map = NULL;
	_cleanup_close_ int fd = -1;
	struct tracker_status status;
	int r = tracker_status(name, &status, err);

	if (r < 0)
		return r;
	fd = open_proc(name, file, O_RDONLY, err);
	if (fd < 0)
		return fd;
	map = bitmap_new(status.nr_blocks);
	if (!map)
		return fail(err, -ENOMEM, "%s: out of memory", name);
	r = io_read_full(fd, map->bits, bitmap_file_bytes(map->nr_blocks));
	if (r < 0)
		return fail_errno(err, r, "/proc/dsync/%s/%s", name, file);
	bitmap_mask_tail(map);
	*ret_map = TAKE_PTR(map);
	return 0;
}

int tracker_seed(const char *name, const struct bitmap *seed, struct err *err)
{
	_cleanup_close_ int fd =
		open_proc(name, "seed", O_WRONLY | O_TRUNC, err);
	int r = fd < 0 ? fd
		       : io_write_full(fd, seed->bits,
				       bitmap_file_bytes(seed->nr_blocks));

	if (fd < 0 || r == 0)
		return r;
	return fail_errno(err, r, "/proc/dsync/%s/seed", name);
}
