// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Cuts the power at many points of a log of writes, and checks what the
 * tracker then says.
 *
 *	replay [-s SEED] [-n POINTS] [-b BLOCKS] [-c CHUNK -g GAP]
 *	       -m META_BYTES LOG DATA META
 *
 * LOG was written by dm-log-writes for a device whose first META_BYTES are
 * metadata of a dsync target and whose rest is its data. If only the first
 *CHUNK of each GAP bytes of data were written to, a large device needs little
 *memory. A mark "cut=UUID" in the log says that epoch UUID begins now, on a
 *device that is suspended and was flushed. The log is replayed in memory; at
 *POINTS of its entries, most of them flushes or FUA writes, the metadata at
 *that point go to META, and the module loads them for DATA, a device of the
 *right size whose content does not matter. Then
 *
 *	- every block that differs from what it was at the mark of the epoch
 *	  that the tracker names must be in its dirty set;
 *	- the dirty set may hold up to BLOCKS more than were written since;
 *	- the state may only be "lost" before the first mark.
 *
 * The format of the log: drivers/md/dm-log-writes.c.
 */
#include <endian.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <unistd.h>

#include "dm.h"

#define BLOCK 4096
#define LOG_MAGIC 0x6a736677736872ULL
#define MAX_EPOCHS 64
/* Blocks are marked a little before their writes are in the log. */
#define LOOK_AHEAD 300

enum { FLUSH = 1, FUA = 2, DISCARD = 4, MARK = 8 };

struct log_super {
	uint64_t magic, version, nr_entries;
	uint32_t sectorsize;
};

struct log_entry {
	uint64_t sector, nr_sectors, flags, data_len;
};

/* An entry, with the place of its data in the log */
struct entry {
	uint64_t at, length, flags;
	uint64_t data;
	char mark[64];
};

struct epoch {
	char id[40];
	size_t entry;
	uint8_t *data;
};

struct replay {
	int log;
	const char *data_dev, *meta_dev;
	size_t meta_bytes, data_bytes, bound;
	size_t chunk, gap;
	struct entry *entries;
	size_t nr_entries;
	struct epoch epochs[MAX_EPOCHS];
	size_t nr_epochs;
	uint8_t *image;
	size_t lost, clean, recovered;
};

static void die(const char *what)
{
	perror(what);
	exit(2);
}

static void read_at(int fd, void *buf, size_t length, uint64_t at)
{
	if (pread(fd, buf, length, at) != (ssize_t)length)
		die("read");
}

static void read_log(struct replay *r)
{
	struct log_super super;
	uint64_t at, size;
	char buf[512];

	read_at(r->log, &super, sizeof(super), 0);
	if (le64toh(super.magic) != LOG_MAGIC)
		die("not a log");
	size = le32toh(super.sectorsize);
	r->nr_entries = le64toh(super.nr_entries);
	r->entries = calloc(r->nr_entries, sizeof(*r->entries));
	at = size;
	for (size_t i = 0; i < r->nr_entries; i++) {
		struct entry *e = &r->entries[i];
		struct log_entry raw;

		read_at(r->log, buf, sizeof(buf), at);
		memcpy(&raw, buf, sizeof(raw));
		at += size;
		e->at = le64toh(raw.sector) * size;
		e->length = le64toh(raw.nr_sectors) * size;
		e->flags = le64toh(raw.flags);
		e->data = at;
		if (e->flags & MARK) {
			snprintf(e->mark, sizeof(e->mark), "%.*s",
				 (int)le64toh(raw.data_len), buf + sizeof(raw));
			e->length = 0;
		} else if (!(e->flags & DISCARD)) {
			at += e->length;
		}
	}
}

static void apply(struct replay *r, size_t i)
{
	struct entry *e = &r->entries[i];
	struct epoch *epoch;

	if (e->length && e->flags & DISCARD)
		memset(r->image + e->at, 0, e->length);
	else if (e->length)
		read_at(r->log, r->image + e->at, e->length, e->data);
	if (strncmp(e->mark, "cut=", 4))
		return;
	if (r->nr_epochs == MAX_EPOCHS)
		die("too many epochs");
	epoch = &r->epochs[r->nr_epochs++];
	snprintf(epoch->id, sizeof(epoch->id), "%.36s", e->mark + 4);
	epoch->entry = i;
	epoch->data = malloc(r->data_bytes / r->gap * r->chunk);
	if (!epoch->data)
		die("memory");
	for (size_t n = 0; n < r->data_bytes / r->gap; n++)
		memcpy(epoch->data + n * r->chunk,
		       r->image + r->meta_bytes + n * r->gap, r->chunk);
}

/*-----------------------------------------------------------------*/

static void must(int r, const char *what)
{
	if (!r)
		return;
	fprintf(stderr, "%s: %s\n", what, strerror(-r));
	exit(1);
}

static uint8_t *read_bitmap(size_t bytes)
{
	uint8_t *bits = calloc(1, bytes + 8);
	int fd = open("/proc/dsync/cut/bitmap", O_RDONLY | O_CLOEXEC);

	if (fd < 0 || !bits || read(fd, bits, bytes + 1) != (ssize_t)bytes)
		die("/proc/dsync/cut/bitmap");
	close(fd);
	return bits;
}

static uint8_t *load(struct replay *r, char *state, char *epoch)
{
	int fd = open(r->meta_dev, O_WRONLY | O_DIRECT | O_CLOEXEC);
	struct dm_request rq;
	char table[512];
	uint8_t *bits;

	if (fd < 0 ||
	    pwrite(fd, r->image, r->meta_bytes, 0) != (ssize_t)r->meta_bytes)
		die(r->meta_dev);
	close(fd);
	snprintf(table, sizeof(table), "%s %s 8", r->data_dev, r->meta_dev);
	must(dm_create("cut", r->data_bytes / 512, "dsync", table), "create");
	must(dm_status("cut", &rq), "status");
	if (sscanf(rq.text, "%15s %*s %*s %39s", state, epoch) != 2)
		die("status");
	bits = read_bitmap((r->data_bytes / BLOCK + 7) / 8);
	must(dm_remove("cut"), "remove");
	return bits;
}

static bool has(const uint8_t *bits, size_t i)
{
	return bits[i / 8] >> i % 8 & 1;
}

/* Whether a block differs from what it was when an epoch began */
static bool differs(struct replay *r, size_t block, const struct epoch *epoch)
{
	size_t at = block * BLOCK, within = at % r->gap;

	if (!epoch)
		return true;
	return within < r->chunk &&
	       memcmp(r->image + r->meta_bytes + at,
		      epoch->data + at / r->gap * r->chunk + within, BLOCK);
}

/* The blocks that were written from one entry on to another */
static uint8_t *written(struct replay *r, size_t from, size_t to)
{
	size_t blocks = r->data_bytes / BLOCK;
	uint8_t *bits = calloc(1, blocks / 8 + 1);

	for (size_t i = from; i < to && i < r->nr_entries; i++) {
		struct entry *e = &r->entries[i];
		size_t first, last;

		if (!e->length || e->at < r->meta_bytes)
			continue;
		first = (e->at - r->meta_bytes) / BLOCK;
		last = (e->at - r->meta_bytes + e->length - 1) / BLOCK;
		for (size_t b = first; b <= last; b++)
			bits[b / 8] |= 1 << b % 8;
	}
	return bits;
}

/* What is wrong with a dirty set that began with an epoch, or 0 */
static int compare(struct replay *r, size_t point, const uint8_t *bits,
		   const struct epoch *epoch)
{
	size_t blocks = r->data_bytes / BLOCK, excess = 0;
	uint8_t *touched =
		written(r, epoch ? epoch->entry : 0, point + LOOK_AHEAD);
	int wrong = 0;

	for (size_t i = 0; i < blocks && wrong < 10; i++) {
		if (differs(r, i, epoch) && !has(bits, i)) {
			fprintf(stderr, "entry %zu: block %zu is lost\n", point,
				i);
			wrong++;
		}
		excess += has(bits, i) && !has(touched, i);
	}
	if (epoch && excess > r->bound) {
		fprintf(stderr, "entry %zu: %zu blocks in excess\n", point,
			excess);
		wrong++;
	}
	free(touched);
	return wrong;
}

static int check(struct replay *r, size_t point)
{
	char state[16], id[40];
	uint8_t *bits = load(r, state, id);
	const struct epoch *epoch = NULL;
	int wrong;

	for (size_t i = 0; i < r->nr_epochs; i++)
		if (!strcmp(r->epochs[i].id, id))
			epoch = &r->epochs[i];
	if (strcmp(id, "-") && !epoch) {
		fprintf(stderr, "entry %zu: unknown epoch %s\n", point, id);
		return 1;
	}
	wrong = compare(r, point, bits, epoch);
	free(bits);
	r->lost += !strcmp(state, "lost");
	r->clean += !strcmp(state, "clean");
	r->recovered += !strcmp(state, "recovered");
	if (!strcmp(state, "lost") && r->nr_epochs) {
		fprintf(stderr, "entry %zu: lost\n", point);
		wrong++;
	}
	return wrong;
}

int main(int argc, char **argv)
{
	struct replay r = {.log = -1};
	unsigned int seed, points = 200;
	int c, wrong = 0;

	if (getrandom(&seed, sizeof(seed), 0) < 0)
		die("seed");
	while ((c = getopt(argc, argv, "s:n:b:m:c:g:")) != -1) {
		unsigned long long n = optarg ? strtoull(optarg, NULL, 0) : 0;

		if (c == 's')
			seed = n;
		else if (c == 'n')
			points = n;
		else if (c == 'b')
			r.bound = n;
		else if (c == 'm')
			r.meta_bytes = n;
		else if (c == 'c')
			r.chunk = n;
		else if (c == 'g')
			r.gap = n;
		else
			return 2;
	}
	if (argc - optind != 3 || !r.meta_bytes || !r.chunk != !r.gap)
		return 2;
	printf("replay: seed %u\n", seed);
	fflush(stdout);
	srand(seed);
	r.log = open(argv[optind], O_RDONLY | O_CLOEXEC);
	r.data_dev = argv[optind + 1];
	r.meta_dev = argv[optind + 2];
	c = open(r.data_dev, O_RDONLY | O_CLOEXEC);
	if (r.log < 0 || c < 0)
		die("open");
	r.data_bytes = lseek(c, 0, SEEK_END);
	close(c);
	if (!r.chunk)
		r.chunk = r.gap = r.data_bytes;
	r.image = mmap(NULL, r.meta_bytes + r.data_bytes,
		       PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (r.image == MAP_FAILED)
		die("memory");

	read_log(&r);
	for (size_t i = 0; i < r.nr_entries && wrong < 10; i++) {
		bool sync = r.entries[i].flags & (FLUSH | FUA | MARK);
		unsigned int chance = (sync ? 2 : 1) * points;

		apply(&r, i);
		if ((unsigned int)rand() % r.nr_entries < chance)
			wrong += check(&r, i);
	}
	printf("replay: %zu entries, %zu epochs; lost %zu, clean %zu, recovered %zu\n",
	       r.nr_entries, r.nr_epochs, r.lost, r.clean, r.recovered);
	return wrong ? 1 : 0;
}
