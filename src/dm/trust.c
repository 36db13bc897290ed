/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A record is six lines of text; the last one is empty while in use. */
#include "dm/trust.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "base/err.h"
#include "base/io.h"
#include "base/uuid.h"

#define MAGIC "dsync-vm trust 1"
#define MAX_BYTES 16384

struct evidence {
	char identity[256];    /* which device or file it is */
	char boot[UUID_SIZE];  /* up to which ->content tells; "": always */
	char content[96];      /* changes with each write, within one boot */
	bool counted, written; /* are writes to a device; was it, this boot */
};

enum line {
	LINE_MAGIC,
	LINE_META,
	LINE_DATA,
	LINE_IDENTITY,
	LINE_BOOT,
	LINE_CONTENT,
	NR_LINES
};

struct record {
	char *text;
	const char *lines[NR_LINES];
};

static void record_clear(struct record *record)
{
	free(record->text);
}
#define _cleanup_record_ _cleanup_(record_clear)

/* ------------------------------------------------------------ evidence */

static int read_word(const char *path, char *word, size_t size)
{
	_cleanup_free_ char *text = NULL;
	int r = io_read_file(path, MAX_BYTES, &text, NULL, NULL);

	if (r == 0)
		snprintf(word, size, "%.*s", (int)strcspn(text, "\n"), text);
	return r;
}

/* Its mtime is to be the same after a power cut, so it is made durable. */
static int look_at_file(int fd, const struct stat *st,
			struct evidence *evidence)
{
	if (fsync(fd) < 0)
		return -errno;
	evidence->counted = true;
	snprintf(evidence->content, sizeof(evidence->content),
		 "%" PRId64 " bytes, %" PRId64 ".%09ld", (int64_t)st->st_size,
		 (int64_t)st->st_mtim.tv_sec, st->st_mtim.tv_nsec);
	return 0;
}

/* dm numbers change with each boot, and with each activation of an LV. */
static void identify_device(const char *path, const struct stat *st,
			    struct evidence *evidence)
{
	char file[64], uuid[160] = "";

	snprintf(file, sizeof(file), "/sys/dev/block/%u:%u/dm/uuid",
		 major(st->st_rdev), minor(st->st_rdev));
	(void)read_word(file, uuid, sizeof(uuid));
	snprintf(evidence->identity, sizeof(evidence->identity), "device %s",
		 uuid[0] ? uuid : path);
}

static int identify(const char *path, const struct stat *st,
		    struct evidence *evidence)
{
	if (!S_ISBLK(st->st_mode)) {
		snprintf(evidence->identity, sizeof(evidence->identity),
			 "file %" PRIu64, (uint64_t)st->st_ino);
		return 0;
	}
	identify_device(path, st, evidence);
	return read_word("/proc/sys/kernel/random/boot_id", evidence->boot,
			 sizeof(evidence->boot));
}

/*
 * What is written to a partition is counted if its disk counts. Device mapper
 * and others without a request queue count whatever their iostats says.
 */
static bool is_counted(const struct stat *st)
{
	static const char *const disks[] = {"", "../"};
	char file[64], word[8];

	for (size_t i = 0; i < sizeof(disks) / sizeof(*disks); i++) {
		snprintf(file, sizeof(file), "/sys/dev/block/%u:%u/%smq",
			 major(st->st_rdev), minor(st->st_rdev), disks[i]);
		if (access(file, F_OK) < 0)
			continue;
		snprintf(file, sizeof(file),
			 "/sys/dev/block/%u:%u/%squeue/iostats",
			 major(st->st_rdev), minor(st->st_rdev), disks[i]);
		if (read_word(file, word, sizeof(word)) == 0)
			return strcmp(word, "0") != 0;
	}
	return true;
}

static int look_at_device(const struct stat *st, struct evidence *evidence)
{
	uint64_t written = 0, discarded = 0;
	char file[64], counters[512];
	int r;

	snprintf(file, sizeof(file), "/sys/dev/block/%u:%u/stat",
		 major(st->st_rdev), minor(st->st_rdev));
	r = read_word(file, counters, sizeof(counters));
	if (r < 0)
		return r;
	if (sscanf(counters,
		   "%*u %*u %*u %*u %*u %*u %" SCNu64
		   " %*u %*u %*u %*u %*u %*u %" SCNu64,
		   &written, &discarded) < 1)
		return -EPROTO;
	snprintf(evidence->content, sizeof(evidence->content),
		 "%" PRIu64 " written, %" PRIu64 " discarded", written,
		 discarded);
	evidence->counted = is_counted(st);
	if (!evidence->counted)
		strcpy(evidence->content, "not counted");
	evidence->written = written || discarded;
	return 0;
}

/* Which disk it is, and, if @content is wanted, what was written to it. */
static int look_at(const char *path, bool content,
		   struct evidence *ret_evidence, struct err *err)
{
	_cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	struct evidence evidence = {0};
	struct stat st;
	int r;

	if (fd < 0 || fstat(fd, &st) < 0)
		return fail_errno(err, -errno, "%s", path);
	r = identify(path, &st, &evidence);
	if (r == 0 && content)
		r = S_ISBLK(st.st_mode) ? look_at_device(&st, &evidence)
					: look_at_file(fd, &st, &evidence);
	if (r < 0)
		return fail_errno(err, r, "%s: what was written to it", path);
	*ret_evidence = evidence;
	return 0;
}

/* -------------------------------------------------------------- record */

static char *place(const char *state_dir, const char *target)
{
	return io_format("%s/trust/%s", state_dir, target);
}

static bool split(struct record *record)
{
	char *at = record->text;

	for (int i = 0; i < NR_LINES; i++) {
		char *end = strchr(at, '\n');

		if (!end)
			return false;
		*end = '\0';
		record->lines[i] = at;
		at = end + 1;
	}
	return *at == '\0' && strcmp(record->lines[LINE_MAGIC], MAGIC) == 0;
}

/* -ENOENT: there is none; -EBADMSG: it is not understood. */
static int read_record(const char *path, struct record *record)
{
	int r = io_read_file(path, MAX_BYTES, &record->text, NULL, NULL);

	if (r < 0)
		return r;
	return split(record) ? 0 : -EBADMSG;
}

static int write_record(const char *path, const char *meta, const char *data,
			const struct evidence *evidence, struct err *err)
{
	_cleanup_free_ char *text = io_format("%s\n%s\n%s\n%s\n%s\n%s\n", MAGIC,
					      meta, data, evidence->identity,
					      evidence->boot,
					      evidence->content);

	if (!text)
		return fail(err, -ENOMEM, "out of memory");
	return io_replace_file(path, text, strlen(text), 0600, err);
}

/* -------------------------------------------------------------- trusting */

/* Why the disk is not what the record says; NULL: it is. */
static const char *compare(const struct record *record,
			   const struct evidence *now)
{
	const char *const *lines = record->lines;
	bool same_boot = strcmp(lines[LINE_BOOT], now->boot) == 0;

	if (strcmp(lines[LINE_IDENTITY], now->identity) != 0)
		return "it is another disk than the one that was tracked";
	if (same_boot && !lines[LINE_CONTENT][0])
		return NULL; /* a crash: the module knows */
	if (!now->counted)
		return "the kernel does not count what is written to it "
		       "(queue/iostats is 0)";
	if (same_boot ? strcmp(lines[LINE_CONTENT], now->content) != 0
		      : now->written)
		return "it was changed while it was not tracked";
	return NULL;
}

static const char *find_fault(const struct trust *trust,
			      const struct record *record,
			      const struct evidence *now)
{
	if (strcmp(record->lines[LINE_META], trust->meta) != 0)
		return "its metadata is kept in another place now";
	return compare(record, now);
}

int trust_check(const struct trust *trust, bool *ret_trusted,
		const char **ret_why, struct err *err)
{
	_cleanup_free_ char *path = place(trust->state_dir, trust->target);
	_cleanup_record_ struct record record = {0};
	struct evidence now;
	const char *fault;
	int r;

	if (!path)
		return fail(err, -ENOMEM, "out of memory");
	*ret_trusted = false;
	*ret_why = "";
	r = read_record(path, &record);
	if (r == -ENOENT)
		return 0;
	if (r < 0) {
		*ret_why = "the record of its last run cannot be read";
		return trust_forget(trust->state_dir, trust->target, err);
	}
	r = look_at(trust->data, true, &now, err);
	if (r < 0)
		return r;
	fault = find_fault(trust, &record, &now);
	*ret_trusted = !fault;
	if (!fault)
		return 0;
	*ret_why = fault;
	return trust_forget(trust->state_dir, trust->target, err);
}

int trust_begin(const struct trust *trust, struct err *err)
{
	_cleanup_free_ char *path = place(trust->state_dir, trust->target);
	_cleanup_free_ char *directory = place(trust->state_dir, "");
	struct evidence now;
	int r;

	if (!path || !directory)
		return fail(err, -ENOMEM, "out of memory");
	if (strchr(trust->meta, '\n') || strchr(trust->data, '\n'))
		return fail(err, -EINVAL, "%s: a newline in its path",
			    trust->target);
	directory[strlen(directory) - 1] = '\0';
	r = io_make_dirs(directory, err);
	if (r == 0)
		r = look_at(trust->data, false, &now, err);
	return r < 0 ? r
		     : write_record(path, trust->meta, trust->data, &now, err);
}

int trust_end(const char *state_dir, const char *target, struct err *err)
{
	_cleanup_free_ char *path = place(state_dir, target);
	_cleanup_record_ struct record record = {0};
	struct evidence now;
	int r;

	if (!path)
		return fail(err, -ENOMEM, "out of memory");
	r = read_record(path, &record);
	if (r == -ENOENT)
		return 0;
	if (r == 0)
		r = look_at(record.lines[LINE_DATA], true, &now, NULL);
	if (r == 0)
		r = write_record(path, record.lines[LINE_META],
				 record.lines[LINE_DATA], &now, NULL);
	return r < 0 ? trust_forget(state_dir, target, err) : 0;
}

/* ------------------------------------------------------------ forgetting */

/* Also if there was nothing to remove: who did may not have got this far. */
static int sync_records(const char *state_dir, struct err *err)
{
	_cleanup_free_ char *directory = io_format("%s/trust", state_dir);

	if (!directory)
		return fail(err, -ENOMEM, "out of memory");
	return access(directory, F_OK) < 0 && errno == ENOENT
		       ? 0
		       : io_sync_dir(directory, err);
}

static int forget(const char *state_dir, const char *target, struct err *err)
{
	_cleanup_free_ char *path = place(state_dir, target);

	if (!path)
		return fail(err, -ENOMEM, "out of memory");
	if (unlink(path) == 0)
		return 1;
	return errno == ENOENT ? 0 : fail_errno(err, -errno, "%s", path);
}

int trust_forget(const char *state_dir, const char *target, struct err *err)
{
	int r = forget(state_dir, target, err);

	return r < 0 ? r : sync_records(state_dir, err);
}

static bool is_among(const char *name, const char *const targets[],
		     size_t nr_targets)
{
	for (size_t i = 0; i < nr_targets; i++)
		if (strcmp(name, targets[i]) == 0)
			return true;
	return false;
}

int trust_forget_others(const char *state_dir, const char *const targets[],
			size_t nr_targets, unsigned int *ret_count,
			struct err *err)
{
	_cleanup_free_ char *path = io_format("%s/trust", state_dir);
	_cleanup_closedir_ DIR *dir = path ? opendir(path) : NULL;
	unsigned int count = 0;
	struct dirent *entry;

	*ret_count = 0;
	if (!path)
		return fail(err, -ENOMEM, "out of memory");
	if (!dir)
		return errno == ENOENT ? 0
				       : fail_errno(err, -errno, "%s", path);
	while ((entry = readdir(dir))) {
		int r;

		if (entry->d_name[0] == '.' ||
		    is_among(entry->d_name, targets, nr_targets))
			continue;
		r = forget(state_dir, entry->d_name, err);
		if (r < 0)
			return r;
		count++;
	}
	*ret_count = count;
	return sync_records(state_dir, err);
}
