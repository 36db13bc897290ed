// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Stomps over a device and checks what a tracker made of it.
 *
 *	stomp write [-s SEED] [-n OPS] [-t THREADS] [-o START] [-l LENGTH] [-d]
 *		    [-c CHUNK -g GAP] DEVICE TOUCHED
 *	stomp check [-x] BEFORE AFTER BITS TOUCHED
 *	stomp count [-k SLOTS] DEVICE...
 *	stomp instant [-k SLOTS] DEVICE...
 *
 * write: random writes, zeroes and discards of random size and place, within
 * LENGTH bytes from START, until OPS are done or SIGTERM ends it. Before each,
 *the blocks that it will touch are noted in the bitmap file TOUCHED, so that at
 *any instant (a suspended device, say) the file covers all that can have
 *reached the device. Blocks count from START. With -d every other write is
 *durable when it ends (FUA). With -g only the first CHUNK of each GAP bytes are
 *written to, and half of the time the first 64 KiB of these.
 *
 * check: every block in which the two images differ must be in BITS, and
 * nothing may be in BITS that is not in TOUCHED; with -x they must be equal.
 *
 * count: writes 1, 2, 3 ... to the first block of each device in turn, the
 * next number to the second, and so on, round the first SLOTS blocks, until
 * SIGTERM.
 *
 * instant: what is on the devices must be what count leaves when it ends at
 * any one instant.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/falloc.h>
#include <linux/fs.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#define BLOCK 4096
#define SECTOR 512
#define MAX_WRITE (1 << 20)
#define HOT (64 << 10)

static void die(const char *what)
{
	perror(what);
	exit(2);
}

/* A whole file in memory. */
struct map {
	uint8_t *bytes;
	size_t length;
};

static struct map map_file(const char *path, size_t grow)
{
	struct map map = {.length = grow};
	int fd = open(path, grow ? O_RDWR | O_CREAT : O_RDONLY, 0600);
	struct stat st;

	if (fd < 0)
		die(path);
	if (grow ? ftruncate(fd, grow) : fstat(fd, &st))
		die(path);
	if (!grow)
		map.length = st.st_size;
	map.bytes = mmap(NULL, map.length, PROT_READ | (grow ? PROT_WRITE : 0),
			 MAP_SHARED, fd, 0);
	if (map.bytes == MAP_FAILED)
		die(path);
	close(fd);
	return map;
}

/* A file in /proc has no size and cannot be mapped. */
static struct map read_file(const char *path)
{
	size_t room = 1 << 24;
	struct map map = {.bytes = malloc(room)};
	int fd = open(path, O_RDONLY);
	ssize_t n;

	if (fd < 0 || !map.bytes)
		die(path);
	while ((n = read(fd, map.bytes + map.length, room - map.length)) > 0)
		map.length += n;
	if (n < 0)
		die(path);
	close(fd);
	return map;
}

static bool has(const struct map *bits, size_t block)
{
	return block / 8 < bits->length &&
	       bits->bytes[block / 8] >> block % 8 & 1;
}

/*------------------------------------------------------------- write */

static volatile sig_atomic_t enough;

static void on_sigterm(int sig)
{
	enough = sig;
}

struct stomper {
	pthread_t thread;
	unsigned int seed;
	unsigned int ops;
	int fd;
	uint64_t start, length;
	uint64_t chunk, gap;
	bool durable;
	struct map *touched;
};

static unsigned int below(struct stomper *s, unsigned int n)
{
	return rand_r(&s->seed) % n;
}

static void note(struct stomper *s, uint64_t offset, uint64_t length)
{
	uint64_t block = offset / BLOCK, last = (offset + length - 1) / BLOCK;

	for (; block <= last; block++)
		__atomic_fetch_or(&s->touched->bytes[block / 8], 1 << block % 8,
				  __ATOMIC_SEQ_CST);
}

/* Mostly small, sometimes large; aligned to blocks or only to sectors. */
static uint64_t pick_range(struct stomper *s, unsigned int max,
			   uint64_t *offset)
{
	static const unsigned int widths[] = {1, 8, 8, 16, 64, 64, 4096};
	unsigned int width = widths[below(s, sizeof(widths) / sizeof(int))];
	uint64_t sectors = 1 + below(s, width);
	uint64_t first = below(s, s->length / SECTOR);

	if (below(s, 2)) {
		first &= ~7ULL;
		sectors = (sectors + 7) & ~7ULL;
	}
	if (first + sectors > s->length / SECTOR)
		sectors = s->length / SECTOR - first;
	*offset = first * SECTOR;
	if (s->gap) {
		uint64_t within = *offset % (below(s, 2) ? s->chunk : HOT);

		*offset = within + below(s, s->length / s->gap) * s->gap;
		if (max > s->chunk - within)
			max = s->chunk - within;
	}
	if (sectors * SECTOR > max)
		return max;
	return sectors * SECTOR;
}

static int zero_or_discard(struct stomper *s, uint64_t offset, uint64_t length)
{
	uint64_t range[2] = {s->start + offset, length};
	int keep = FALLOC_FL_KEEP_SIZE, r = -1;

	switch (below(s, 4)) {
	case 0:
		break;
	case 1:
		r = ioctl(s->fd, BLKDISCARD, range);
		break;
	case 2:
		r = fallocate(s->fd, FALLOC_FL_PUNCH_HOLE | keep, range[0],
			      length);
		break;
	default:
		r = fallocate(s->fd, FALLOC_FL_ZERO_RANGE | keep, range[0],
			      length);
	}
	if (!r)
		return 0;
	/* All devices can do this; some nothing else. */
	return ioctl(s->fd, BLKZEROOUT, range);
}

static void stomp_once(struct stomper *s, uint32_t *buf)
{
	bool data = below(s, 10) < 7;
	int flags = s->durable && below(s, 2) ? RWF_DSYNC : 0;
	struct iovec vec = {.iov_base = buf};
	uint64_t offset;
	uint64_t length = pick_range(s, data ? MAX_WRITE : 1 << 30, &offset);

	note(s, offset, length);
	if (!data) {
		if (zero_or_discard(s, offset, length))
			die("zero or discard");
		return;
	}
	vec.iov_len = length;
	for (uint64_t i = 0; i < length / SECTOR; i++)
		buf[i * SECTOR / sizeof(*buf)] = rand_r(&s->seed) | 1;
	if (pwritev2(s->fd, &vec, 1, s->start + offset, flags) !=
	    (ssize_t)length)
		die("write");
}

static void *stomp(void *arg)
{
	struct stomper *s = arg;
	void *buf = aligned_alloc(BLOCK, MAX_WRITE);

	if (!buf)
		die("memory");
	memset(buf, s->seed, MAX_WRITE);
	for (unsigned int i = 0; i < s->ops && !enough; i++)
		stomp_once(s, buf);
	free(buf);
	return NULL;
}

static int cmd_write(int argc, char **argv)
{
	struct stomper all = {.ops = 1 << 30}, *each;
	unsigned int threads = 1;
	struct map touched;
	int c;

	if (getrandom(&all.seed, sizeof(all.seed), 0) < 0)
		die("seed");
	while ((c = getopt(argc, argv, "s:n:t:o:l:dc:g:")) != -1) {
		unsigned long long n = optarg ? strtoull(optarg, NULL, 0) : 0;

		if (c == 's')
			all.seed = n;
		else if (c == 'n')
			all.ops = n;
		else if (c == 't')
			threads = n;
		else if (c == 'o')
			all.start = n;
		else if (c == 'l')
			all.length = n;
		else if (c == 'd')
			all.durable = true;
		else if (c == 'c')
			all.chunk = n;
		else if (c == 'g')
			all.gap = n;
		else
			return 2;
	}
	if (argc - optind != 2 || !threads || !all.chunk != !all.gap)
		return 2;
	signal(SIGTERM, on_sigterm);
	printf("stomp: seed %u\n", all.seed);
	fflush(stdout);

	all.fd = open(argv[optind], O_RDWR | O_DIRECT | O_CLOEXEC);
	if (all.fd < 0)
		die(argv[optind]);
	if (!all.length)
		all.length = lseek(all.fd, 0, SEEK_END) - all.start;
	touched = map_file(argv[optind + 1],
			   (all.length + BLOCK * 8 - 1) / BLOCK / 8 + 1);
	all.touched = &touched;

	each = calloc(threads, sizeof(*each));
	for (unsigned int i = 0; i < threads; i++) {
		each[i] = all;
		each[i].seed += i * 7919;
		each[i].ops /= threads;
		if (pthread_create(&each[i].thread, NULL, stomp, &each[i]))
			die("thread");
	}
	for (unsigned int i = 0; i < threads; i++)
		pthread_join(each[i].thread, NULL);
	free(each);
	return 0;
}

/*------------------------------------------------------------- check */

static int cmd_check(int argc, char **argv)
{
	size_t differ = 0, set = 0, wrong = 0, blocks;
	struct map before, after, bits, touched;
	bool exact = false;
	int c;

	while ((c = getopt(argc, argv, "x")) != -1) {
		if (c != 'x')
			return 2;
		exact = true;
	}
	if (argc - optind != 4)
		return 2;
	before = map_file(argv[optind], 0);
	after = map_file(argv[optind + 1], 0);
	bits = read_file(argv[optind + 2]);
	touched = map_file(argv[optind + 3], 0);
	if (before.length != after.length) {
		fprintf(stderr, "stomp: images of different size\n");
		return 2;
	}

	blocks = (after.length + BLOCK - 1) / BLOCK;
	if (bits.length != (blocks + 7) / 8) {
		fprintf(stderr, "stomp: %zu bytes of bits for %zu blocks\n",
			bits.length, blocks);
		return 1;
	}
	for (size_t i = 0; i < blocks && wrong < 10; i++) {
		size_t at = i * BLOCK, n = after.length - at;
		bool same = !memcmp(before.bytes + at, after.bytes + at,
				    n < BLOCK ? n : BLOCK);

		differ += !same;
		set += has(&bits, i);
		if (!same && !has(&bits, i)) {
			fprintf(stderr, "block %zu changed unnoticed\n", i);
			wrong++;
		}
		if (has(&bits, i) && !has(&touched, i)) {
			fprintf(stderr, "block %zu: never touched\n", i);
			wrong++;
		}
		if (exact && has(&touched, i) && !has(&bits, i)) {
			fprintf(stderr, "block %zu: touched unnoticed\n", i);
			wrong++;
		}
	}
	for (size_t i = blocks; i < bits.length * 8; i++)
		if (has(&bits, i)) {
			fprintf(stderr, "bit %zu beyond the end\n", i);
			wrong++;
		}
	printf("stomp: %zu blocks differ, %zu are set\n", differ, set);
	return wrong ? 1 : 0;
}

/*------------------------------------------------------ count, instant */

#define MAX_DEVICES 8

struct counter {
	int fds[MAX_DEVICES];
	int nr;
	uint64_t slots;
	uint64_t *buf;
};

static int open_counter(struct counter *c, int argc, char **argv, int flags)
{
	int opt;

	c->slots = 64;
	while ((opt = getopt(argc, argv, "k:")) != -1) {
		if (opt != 'k')
			return 2;
		c->slots = strtoull(optarg, NULL, 0);
	}
	for (; optind < argc && c->nr < MAX_DEVICES; optind++, c->nr++) {
		c->fds[c->nr] = open(argv[optind], flags | O_DIRECT);
		if (c->fds[c->nr] < 0)
			die(argv[optind]);
	}
	c->buf = aligned_alloc(BLOCK, BLOCK);
	return c->nr && c->slots && c->buf ? 0 : 2;
}

static int cmd_count(int argc, char **argv)
{
	struct counter c = {0};
	int status = open_counter(&c, argc, argv, O_RDWR);

	signal(SIGTERM, on_sigterm);
	for (uint64_t n = 1; !status && !enough; n++) {
		uint64_t at = (n - 1) % c.slots * BLOCK;

		for (size_t i = 0; i < BLOCK / sizeof(n); i++)
			c.buf[i] = n;
		for (int i = 0; i < c.nr; i++)
			if (pwrite(c.fds[i], c.buf, BLOCK, at) != BLOCK)
				die("write");
	}
	return status;
}

/* The largest number on a device; 0 if it could not have been left so. */
static uint64_t read_counter(struct counter *c, int fd)
{
	uint64_t *found = calloc(c->slots, sizeof(*found)), max = 0, torn = 0;

	for (uint64_t slot = 0; slot < c->slots; slot++) {
		if (pread(fd, c->buf, BLOCK, slot * BLOCK) != BLOCK)
			die("read");
		found[slot] = c->buf[0];
		for (size_t i = 0; i < BLOCK / sizeof(*c->buf); i++)
			torn += c->buf[i] != found[slot];
		max = found[slot] > max ? found[slot] : max;
	}
	for (uint64_t slot = 0; slot < c->slots; slot++)
		torn += found[slot] != max - (max - 1 - slot) % c->slots;
	free(found);
	return torn ? 0 : max;
}

static int cmd_instant(int argc, char **argv)
{
	struct counter c = {0};
	int status = open_counter(&c, argc, argv, O_RDONLY);
	uint64_t first = 0, before = 0;

	for (int i = 0; i < c.nr && !status; i++) {
		uint64_t n = read_counter(&c, c.fds[i]);

		printf("stomp: %llu\n", (unsigned long long)n);
		first = i ? first : n;
		if (!n || (i && n > before) || n + 1 < first)
			status = 1;
		before = n;
	}
	return status;
}

int main(int argc, char **argv)
{
	int status = 2;

	if (argc > 1 && !strcmp(argv[1], "write"))
		status = cmd_write(argc - 1, argv + 1);
	else if (argc > 1 && !strcmp(argv[1], "check"))
		status = cmd_check(argc - 1, argv + 1);
	else if (argc > 1 && !strcmp(argv[1], "count"))
		status = cmd_count(argc - 1, argv + 1);
	else if (argc > 1 && !strcmp(argv[1], "instant"))
		status = cmd_instant(argc - 1, argv + 1);
	if (status == 2)
		fprintf(stderr,
			"usage: stomp write|check|count|instant ... (see stomp.c)\n");
	return status;
}
