// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Does everything at random to a tracked device until the machine is killed,
 * and after that checks what the tracker still knows; see crash-init.
 *
 *	crash check DATA REFERENCE LOG
 *	crash mix SEED DATA REFERENCE LOG
 *
 * The device "t" is PARTS pieces of PART bytes, each at its own multiple of
 * STRIDE, so that each has a leaf of the bitmap of its own. On DATA these
 * pieces are next to each other.
 *
 * LOG has one sector for each thing that was about to be done: a write, before
 * it was begun; an epoch, before it began, and where on REFERENCE the content
 * of DATA at that time was copied to; and that it has ended, afterwards. What
 * QEMU has acknowledged survives its death, so LOG is always ahead of the rest.
 * Two places are enough on REFERENCE: that of the last epoch that has ended is
 * not given to another one.
 *
 * check: t was brought up again. Its epoch must be the last that ended, or a
 * later one; every block that differs from that epoch's copy must be dirty;
 * and what is dirty without having been written to since must be within the
 * bound, which counts for each crash.
 */
#include <fcntl.h>
#include <linux/fs.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/uio.h>
#include <unistd.h>

#define BLOCK 4096
#define SECTOR 512
#define PARTS 5
#define PART (4ULL << 20)
#define STRIDE (128ULL << 20)
#define SIZE (PARTS * PART)
#define BLOCKS (PARTS * STRIDE / BLOCK)
#define BOUND (16 * 16) /* active_regions, and the blocks of each */
#define MAX_WRITE (1 << 20)
#define THREADS 3
#define MAGIC 0x6473796e6372ULL

enum kind { WRITE = 1, CUT, ENDED, BOOT };

struct record {
	uint64_t magic, number, kind;
	uint64_t at, length, writer; /* of a write, on the device */
	uint64_t epoch, place;       /* of an epoch */
	uint8_t rest[SECTOR - 8 * sizeof(uint64_t)];
};

static struct record *records;
static uint64_t nr_records;
static int data, reference, log_fd, device = -1;
static pthread_mutex_t log_lock = PTHREAD_MUTEX_INITIALIZER;
static unsigned int seed;
static volatile bool enough;

static void die(const char *what)
{
	perror(what);
	exit(2);
}

static void *buffer(size_t length)
{
	void *buf = aligned_alloc(BLOCK, length);

	if (!buf)
		die("memory");
	return buf;
}

static int open_disk(const char *path)
{
	int fd = open(path, O_RDWR | O_DIRECT | O_CLOEXEC);

	if (fd < 0)
		die(path);
	return fd;
}

/*--------------------------------------------------------------- log */

static void read_log(void)
{
	size_t room = lseek(log_fd, 0, SEEK_END), step = MAX_WRITE, n;

	records = buffer(room);
	for (size_t at = 0; at < room; at += step) {
		if (pread(log_fd, (char *)records + at, step, at) !=
		    (ssize_t)step)
			die("read log");
		n = (at + step) / SECTOR;
		while (nr_records < n && records[nr_records].magic == MAGIC &&
		       records[nr_records].number == nr_records)
			nr_records++;
		if (nr_records < n)
			return;
	}
	die("the log is full");
}

static void note(struct record what)
{
	struct record *r = buffer(BLOCK);

	pthread_mutex_lock(&log_lock);
	*r = what;
	r->magic = MAGIC;
	r->number = nr_records;
	if (pwrite(log_fd, r, SECTOR, nr_records++ * SECTOR) != SECTOR)
		die("write log");
	pthread_mutex_unlock(&log_lock);
	free(r);
}

/* The last record of a kind, of that epoch unless it is 0; or -1 */
static int64_t last(enum kind kind, uint64_t epoch)
{
	for (int64_t i = nr_records - 1; i >= 0; i--)
		if (records[i].kind == kind &&
		    (!epoch || records[i].epoch == epoch))
			return i;
	return -1;
}

/*------------------------------------------------------------- check */

static bool has(const uint8_t *bits, uint64_t i)
{
	return bits[i / 8] >> i % 8 & 1;
}

static uint8_t *read_bits(const char *path)
{
	uint8_t *bits = calloc(1, BLOCKS / 8);
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0 || read(fd, bits, BLOCKS / 8) != BLOCKS / 8)
		die(path);
	close(fd);
	return bits;
}

/* State and epoch of the device; the number in the epoch's uuid is returned. */
static uint64_t ask(char *state)
{
	FILE *out = popen("dmsetup status t", "r");
	char id[40];

	if (!out ||
	    fscanf(out, "%*s %*s %*s %15s %*s %*s %39s", state, id) != 2)
		die("dmsetup status");
	pclose(out);
	return strlen(id) == 36 ? strtoull(id + 24, NULL, 16) : 0;
}

static void touch(uint8_t *bits, const struct record *r)
{
	for (uint64_t at = r->at / BLOCK; at * BLOCK < r->at + r->length; at++)
		bits[at / 8] |= 1 << at % 8;
}

/*
 * The blocks that were about to be written since a cut, and the boots. The last
 * write of each writer before it may have had to wait, and come after it.
 */
static uint8_t *touched(int64_t cut, unsigned int *boots)
{
	uint8_t *bits = calloc(1, BLOCKS / 8);
	bool seen[THREADS] = {false};

	for (uint64_t i = cut; i < nr_records; i++) {
		*boots += records[i].kind == BOOT;
		if (records[i].kind == WRITE)
			touch(bits, &records[i]);
	}
	for (int64_t i = cut; i >= 0; i--)
		if (records[i].kind == WRITE && !seen[records[i].writer]) {
			seen[records[i].writer] = true;
			touch(bits, &records[i]);
		}
	return bits;
}

static bool differs(uint64_t block, const uint8_t *now, const uint8_t *then)
{
	uint64_t within = block * BLOCK % STRIDE;
	uint64_t at = block * BLOCK / STRIDE * PART + within;

	return within < PART && memcmp(now + at, then + at, BLOCK);
}

static int compare(int64_t cut, const char *state)
{
	uint8_t *bits = read_bits("/proc/dsync/t/bitmap"), *noted;
	uint8_t *now = buffer(SIZE), *then = buffer(SIZE);
	unsigned int boots = 1, lost = 0, dirty = 0, changed = 0, excess = 0;

	noted = touched(cut, &boots);
	if (pread(data, now, SIZE, 0) != SIZE ||
	    pread(reference, then, SIZE, records[cut].place * SIZE) != SIZE)
		die("read");
	for (uint64_t i = 0; i < BLOCKS; i++) {
		bool other = differs(i, now, then);

		changed += other;
		dirty += has(bits, i);
		excess += has(bits, i) && !has(noted, i);
		if (other && !has(bits, i) && ++lost < 5)
			printf("crash: block %llu is lost\n",
			       (unsigned long long)i);
	}
	printf("crash: %s, %u changed, %u dirty, %u in excess after %u boots\n",
	       state, changed, dirty, excess, boots);
	if (excess > BOUND * boots)
		printf("crash: too many in excess\n");
	return lost || excess > BOUND * boots;
}

static int check(void)
{
	int64_t ended = last(ENDED, 0), cut;
	char state[16];
	uint64_t epoch = ask(state);

	cut = epoch ? last(CUT, epoch) : -1;
	if (ended < 0 && cut < 0) {
		printf("crash: %s, before the first epoch\n", state);
		return 0;
	}
	if (ended >= 0 && cut < last(CUT, records[ended].epoch)) {
		printf("crash: %s, of epoch %llu, which is not the last\n",
		       state, (unsigned long long)epoch);
		return 1;
	}
	return compare(cut, state);
}

/*------------------------------------------------------------ writes */

struct writer {
	pthread_t thread;
	unsigned int seed, number;
};

static unsigned int below(unsigned int *s, unsigned int n)
{
	return rand_r(s) % n;
}

/* Mostly small, often in the same places, and always within a part */
static uint64_t pick(unsigned int *s, uint64_t *length)
{
	static const unsigned int widths[] = {1, 8, 8, 8, 16, 64, 256, 2048};
	uint64_t sectors = 1 + below(s, widths[below(s, 8)]);
	uint64_t first = below(s, PART / SECTOR);

	if (below(s, 3)) {
		first = below(s, 2) ? first & ~7ULL : below(s, 128) * 8;
		sectors = (sectors + 7) & ~7ULL;
	}
	if (first + sectors > PART / SECTOR)
		sectors = PART / SECTOR - first;
	*length = sectors * SECTOR;
	return below(s, PARTS) * STRIDE + first * SECTOR;
}

static int write_once(struct writer *w, uint32_t *buf)
{
	int flags = below(&w->seed, 3) ? 0 : RWF_DSYNC;
	struct iovec vec = {.iov_base = buf};
	uint64_t range[2];

	range[0] = pick(&w->seed, &range[1]);
	note((struct record){.kind = WRITE,
			     .at = range[0],
			     .length = range[1],
			     .writer = w->number});
	switch (below(&w->seed, 16)) {
	case 0:
		return ioctl(device, BLKDISCARD, range);
	case 1:
		return ioctl(device, BLKZEROOUT, range);
	case 2:
		return fsync(device);
	}
	for (uint64_t i = 0; i < range[1] / SECTOR; i++)
		buf[i * SECTOR / sizeof(*buf)] = rand_r(&w->seed);
	vec.iov_len = range[1];
	if (pwritev2(device, &vec, 1, range[0], flags) != (ssize_t)range[1])
		return -1;
	return 0;
}

static void *run_writer(void *arg)
{
	uint32_t *buf = buffer(MAX_WRITE);

	memset(buf, 0x5a, MAX_WRITE);
	while (!enough)
		if (write_once(arg, buf))
			die("write");
	free(buf);
	return NULL;
}

static struct writer writers[THREADS];

static void start_writers(void)
{
	enough = false;
	device = open_disk("/dev/mapper/t");
	for (int i = 0; i < THREADS; i++) {
		writers[i].seed = rand_r(&seed);
		writers[i].number = i;
		if (pthread_create(&writers[i].thread, NULL, run_writer,
				   &writers[i]))
			die("thread");
	}
}

static void stop_writers(void)
{
	enough = true;
	for (int i = 0; i < THREADS; i++)
		pthread_join(writers[i].thread, NULL);
	close(device);
}

/*-------------------------------------------------------------- mix */

static uint64_t open_epoch, newest, base_place;
static bool has_hold;

__attribute__((format(printf, 1, 2))) static int run(const char *format, ...)
{
	char command[256];
	va_list args;

	va_start(args, format);
	vsnprintf(command, sizeof(command), format, args);
	va_end(args);
	return system(command);
}

static void must(int r, const char *what)
{
	if (r) {
		printf("crash: failed: %s\n", what);
		exit(1);
	}
}

static int message(const char *what, uint64_t epoch)
{
	return run("dmsetup message t 0 %s d51c0000-0000-4000-8000-%012llx",
		   what, (unsigned long long)epoch);
}

static void copy_data(uint64_t place)
{
	void *buf = buffer(SIZE);

	if (pread(data, buf, SIZE, 0) != SIZE ||
	    pwrite(reference, buf, SIZE, place * SIZE) != SIZE)
		die("copy");
	free(buf);
}

static void cut(void)
{
	must(run("dmsetup suspend t"), "suspend");
	copy_data(!base_place);
	open_epoch = ++newest;
	note((struct record){
		.kind = CUT, .epoch = open_epoch, .place = !base_place});
	must(message("epoch_begin", open_epoch), "begin");
	must(run("dmsetup resume t"), "resume");
}

static void end(void)
{
	must(message("epoch_end", open_epoch), "end");
	note((struct record){.kind = ENDED, .epoch = open_epoch});
	base_place = !base_place;
	open_epoch = 0;
}

static void abort_epoch(void)
{
	must(message("epoch_abort", open_epoch), "abort");
	open_epoch = 0;
}

static void take_or_drop_hold(void)
{
	if (has_hold)
		must(run("dmsetup remove --retry h"), "remove h");
	else
		must(run("dmsetup create h --readonly --table \"$HOLD_TABLE\""),
		     "create h");
	has_hold = !has_hold;
}

/* A clean stop, and a start */
static void restart(void)
{
	if (has_hold)
		take_or_drop_hold();
	stop_writers();
	must(run("dmsetup remove --retry t"), "remove");
	must(run("dmsetup create t --table \"$TABLE\""), "create");
	open_epoch = 0; /* it was aborted */
	start_writers();
}

static void act(void)
{
	switch (below(&seed, 12)) {
	case 0 ... 3:
		if (!open_epoch)
			cut();
		else if (below(&seed, 3))
			end();
		else
			abort_epoch();
		break;
	case 4 ... 5:
		must(run("dmsetup message t 0 flush"), "flush");
		break;
	case 6:
		must(run("dmsetup reload t --table \"$TABLE\" && dmsetup resume t"),
		     "reload");
		break;
	case 7:
		take_or_drop_hold();
		break;
	case 8: /* mostly there is nothing to release */
		run("dmsetup message t 0 release %u 100 2>/dev/null",
		    below(&seed, BLOCKS - 100));
		break;
	case 9:
		restart();
		break;
	default:
		usleep(below(&seed, 300000));
	}
}

static void mix(void)
{
	char state[16];
	uint64_t epoch = ask(state);
	int64_t at = last(CUT, 0);

	newest = at < 0 ? 0 : records[at].epoch;
	at = epoch ? last(CUT, epoch) : -1;
	base_place = at < 0 ? 0 : records[at].place;
	note((struct record){.kind = BOOT});
	if (at < 0) {
		cut();
		end();
	}
	start_writers();
	for (;;)
		act();
}

int main(int argc, char **argv)
{
	bool mixes = argc == 6 && !strcmp(argv[1], "mix");

	if (!mixes && (argc != 5 || strcmp(argv[1], "check"))) {
		fprintf(stderr, "usage: crash check|mix ... (see crash.c)\n");
		return 2;
	}
	setvbuf(stdout, NULL, _IOLBF, 0);
	data = open_disk(argv[argc - 3]);
	reference = open_disk(argv[argc - 2]);
	log_fd = open_disk(argv[argc - 1]);
	read_log();
	if (!mixes)
		return check();
	seed = strtoul(argv[2], NULL, 0);
	mix();
	return 0;
}
