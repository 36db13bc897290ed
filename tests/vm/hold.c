// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Reads a hold while its origin is written to, and checks every byte.
 *
 *	hold [-s SEED] [-t THREADS] [-n READS] [-b BLOCK] [-d USECS]
 *	     [-r ORIGIN] [-e] HOLD IMAGE BITS...
 *
 * IMAGE is what the origin was at the cut, BITS are bitmaps of what is held.
 * Each thread reads runs of blocks in its part of the device, in random
 * order and of random size, also parts of blocks: all must be as in IMAGE, and
 * what has a block that is not held must fail. It goes on until each held
 * block was read and READS reads (of all threads) are done, or three times as
 * many, USECS apart.
 *
 * With -r, blocks are released at random, some right after they were read and
 * some while they may be; they must fail from then on. ORIGIN is the name of
 * the device.
 *
 * With -e any read may fail, but what is read must still be right.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/dm-ioctl.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#define SECTOR 512
#define MAX_READ (1 << 20)

enum { NO, YES, LEAVING };

static uint64_t block_bytes = 4096;
static uint64_t size, nr_blocks;
static uint8_t *image;
static volatile uint8_t *held; /* NO, YES, LEAVING: being released */
static volatile bool finished;
static const char *origin;
static bool may_fail;
static unsigned int delay;
static int fd, control;

static void die(const char *what)
{
	perror(what);
	exit(2);
}

static void *load(const char *path, uint64_t *ret_size)
{
	size_t room = 1 << 26, n = 0;
	uint8_t *buf = calloc(1, room);
	int in = open(path, O_RDONLY);
	ssize_t r;

	if (in < 0 || !buf)
		die(path);
	while ((r = read(in, buf + n, room - n)) > 0) {
		n += r;
		if (n == room) {
			buf = realloc(buf, room *= 2);
			if (!buf)
				die(path);
		}
	}
	if (r < 0)
		die(path);
	close(in);
	*ret_size = n;
	return buf;
}

static void add_bits(const char *path)
{
	uint64_t bytes;
	uint8_t *bits = load(path, &bytes);

	for (uint64_t i = 0; i < nr_blocks && i / 8 < bytes; i++)
		if (bits[i / 8] >> i % 8 & 1)
			held[i] = YES;
	free(bits);
}

struct reader {
	pthread_t thread;
	unsigned int seed;
	uint64_t first, end; /* its blocks */
	uint64_t reads;
	uint8_t *done; /* blocks that were read */
	uint64_t right, refused, released, wrong;
};

static unsigned int below(struct reader *r, uint64_t n)
{
	return n ? rand_r(&r->seed) % n : 0;
}

static void release(struct reader *r, uint64_t block, uint64_t count)
{
	struct {
		struct dm_ioctl dm;
		struct dm_target_msg msg;
		char text[64];
	} arg = {
		.dm =
			{
				.version = {4, 0, 0},
				.data_size = sizeof(arg),
				.data_start = sizeof(arg.dm),
			},
	};

	snprintf(arg.dm.name, sizeof(arg.dm.name), "%s", origin);
	snprintf(arg.msg.message, sizeof(arg.text), "release %llu %llu",
		 (unsigned long long)block, (unsigned long long)count);
	for (uint64_t i = block; i < block + count; i++)
		held[i] = held[i] ? LEAVING : NO;
	__sync_synchronize();
	if (!ioctl(control, DM_TARGET_MSG, &arg)) {
		for (uint64_t i = block; i < block + count; i++)
			held[i] = NO;
		r->released += count;
	} else if (!may_fail) {
		perror("release");
		r->wrong++;
	}
}

static void complain(struct reader *r, const char *what, uint64_t from,
		     uint64_t length)
{
	fprintf(stderr, "%s: %llu bytes at %llu (block %llu)\n", what,
		(unsigned long long)length, (unsigned long long)from,
		(unsigned long long)(from / block_bytes));
	r->wrong++;
}

static bool any(uint64_t first, uint64_t end, uint8_t what)
{
	for (; first < end; first++)
		if (held[first] == what)
			return true;
	return false;
}

static void read_range(struct reader *r, uint64_t from, uint64_t length,
		       uint8_t *buf)
{
	uint64_t first = from / block_bytes;
	uint64_t end = (from + length - 1) / block_bytes + 1;
	bool all = !any(first, end, NO), left;
	ssize_t n;

	memset(buf, 0x5a, length);
	n = pread(fd, buf, length, from);
	left = any(first, end, NO) || any(first, end, LEAVING);
	if (n != (ssize_t)length) {
		r->refused++;
		if (n >= 0 || errno != EIO)
			complain(r, "strange error", from, length);
		else if (!left && !may_fail)
			complain(r, "held, but cannot be read", from, length);
	} else if (!all) {
		complain(r, "not held, but was read", from, length);
	} else if (memcmp(buf, image + from, length)) {
		complain(r, "WRONG DATA", from, length);
	} else {
		r->right++;
	}
	memset(r->done + first, 1, end - first);
	if (!left && n == (ssize_t)length && origin && !below(r, 4))
		release(r, first, 1 + below(r, end - first));
}

/* Mostly within a run of held blocks. */
static void read_somewhere(struct reader *r, uint64_t block, uint8_t *buf)
{
	uint64_t max = MAX_READ / block_bytes, count = 1, from, length;
	uint64_t most = 1 + below(r, below(r, 4) ? 16 : max);

	if (!max)
		max = 1;
	while (count < most && count < max && block + count < r->end &&
	       (held[block + count] == held[block] || !below(r, 50)))
		count++;
	from = block * block_bytes;
	length = count * block_bytes;
	if (from + length > size)
		length = size - from;
	if (!below(r, 3)) {
		uint64_t cut = SECTOR * below(r, length / SECTOR);

		from += cut;
		length -= cut;
		length = SECTOR * (1 + below(r, length / SECTOR));
	}
	read_range(r, from, length, buf);
}

static void *run(void *arg)
{
	struct reader *r = arg;
	uint8_t *buf = aligned_alloc(4096, MAX_READ + (1 << 16));
	uint64_t next = r->first, i;

	for (i = 0; r->wrong < 5; i++) {
		uint64_t block = r->first + below(r, r->end - r->first);

		/* Now and then what nobody has looked at yet. */
		if (i % 2) {
			while (next < r->end && (r->done[next] || !held[next]))
				next++;
			if (i >= (next == r->end ? r->reads : 3 * r->reads))
				break;
			if (next < r->end)
				block = next;
		}
		read_somewhere(r, block, buf);
		if (delay)
			usleep(below(r, 2 * delay));
	}
	free(buf);
	return NULL;
}

/* Releases what others may be reading, and overwrites it at once. */
static void *run_releaser(void *arg)
{
	uint8_t *buf = aligned_alloc(4096, block_bytes);
	struct reader *r = arg;
	char path[128];
	int out;

	snprintf(path, sizeof(path), "/dev/mapper/%s", origin);
	out = open(path, O_WRONLY | O_DIRECT);
	if (out < 0 || !buf)
		die(path);
	memset(buf, 0xee, block_bytes);
	while (!finished) {
		uint64_t block = below(r, size / block_bytes);

		if (held[block] == YES) {
			release(r, block, 1);
			if (pwrite(out, buf, block_bytes, block * block_bytes) <
			    0)
				die(path);
		}
		usleep(3000);
	}
	free(buf);
	return NULL;
}

int main(int argc, char **argv)
{
	unsigned int seed = getpid(), threads = 1;
	struct reader *readers, sum = {0}, releaser = {0};
	uint64_t reads = 1000;
	int c;

	while ((c = getopt(argc, argv, "s:t:n:b:d:r:e")) != -1) {
		if (c == 's')
			seed = strtoul(optarg, NULL, 0);
		else if (c == 't')
			threads = strtoul(optarg, NULL, 0);
		else if (c == 'n')
			reads = strtoull(optarg, NULL, 0);
		else if (c == 'b')
			block_bytes = strtoull(optarg, NULL, 0);
		else if (c == 'd')
			delay = strtoul(optarg, NULL, 0);
		else if (c == 'r')
			origin = optarg;
		else if (c == 'e')
			may_fail = true;
		else
			return 2;
	}
	if (argc - optind < 3 || !threads) {
		fprintf(stderr, "usage: hold ... (see hold.c)\n");
		return 2;
	}
	fd = open(argv[optind], O_RDONLY | O_DIRECT);
	control = open("/dev/mapper/control", O_RDWR);
	if (fd < 0 || control < 0)
		die(argv[optind]);
	image = load(argv[optind + 1], &size);
	if (lseek(fd, 0, SEEK_END) != (off_t)size) {
		fprintf(stderr, "hold: another size than the image\n");
		return 1;
	}
	nr_blocks = (size + block_bytes - 1) / block_bytes;
	held = calloc(1, nr_blocks);
	for (int i = optind + 2; i < argc; i++)
		add_bits(argv[i]);

	printf("hold: seed %u\n", seed);
	readers = calloc(threads, sizeof(*readers));
	for (unsigned int i = 0; i < threads; i++) {
		struct reader *r = &readers[i];

		r->seed = seed + i * 7919;
		r->first = nr_blocks * i / threads;
		r->end = nr_blocks * (i + 1) / threads;
		r->reads = reads / threads;
		r->done = calloc(1, nr_blocks);
		if (pthread_create(&r->thread, NULL, run, r))
			die("thread");
	}
	releaser.seed = seed;
	if (origin &&
	    pthread_create(&releaser.thread, NULL, run_releaser, &releaser))
		die("thread");
	for (unsigned int i = 0; i < threads; i++) {
		pthread_join(readers[i].thread, NULL);
		sum.right += readers[i].right;
		sum.refused += readers[i].refused;
		sum.released += readers[i].released;
		sum.wrong += readers[i].wrong;
	}
	finished = true;
	if (origin)
		pthread_join(releaser.thread, NULL);
	sum.released += releaser.released;
	sum.wrong += releaser.wrong;
	printf("hold: %llu reads right, %llu refused, %llu blocks released\n",
	       (unsigned long long)sum.right, (unsigned long long)sum.refused,
	       (unsigned long long)sum.released);
	return sum.wrong ? 1 : 0;
}
