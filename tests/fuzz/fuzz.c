/* SPDX-License-Identifier: GPL-2.0-or-later */
/* libFuzzer's entry points, and what an input may cost. */
#include "fuzz.h"

#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define MAX_NS 1000000000LL

bool fuzz_is_running;

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

void promise_broken(const char *file, int line, const char *condition)
{
	fprintf(stderr, "%s:%d: broken promise: %s\n", file, line, condition);
	abort();
}

/* -------------------------------------------------------- the directory */

static char directory[64];

static int remove_entry(const char *path, const struct stat *st, int type,
			struct FTW *ftw)
{
	return remove(path);
}

static void remove_directory(void)
{
	nftw(directory, remove_entry, 8, FTW_DEPTH | FTW_PHYS);
}

static bool make_directory(const char *parent)
{
	snprintf(directory, sizeof(directory), "%s/dsync-fuzz-XXXXXX", parent);
	return mkdtemp(directory);
}

const char *fuzz_dir(void)
{
	if (directory[0])
		return directory;
	promise(make_directory("/dev/shm") || make_directory(P_tmpdir));
	atexit(remove_directory);
	return directory;
}

const char *fuzz_file(const char *name, const void *content, size_t size)
{
	static char path[512];
	int fd;

	snprintf(path, sizeof(path), "%s/%s", fuzz_dir(), name);
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	promise(fd >= 0 && write(fd, content, size) == (ssize_t)size);
	close(fd);
	return path;
}

static int remove_file(const char *path, const struct stat *st, int type,
		       struct FTW *ftw)
{
	return type == FTW_D || type == FTW_DP ? 0 : remove(path);
}

void fuzz_forget_files(void)
{
	promise(nftw(fuzz_dir(), remove_file, 8, FTW_PHYS) == 0);
}

/* ------------------------------------------------------------ the input */

uint8_t input_byte(struct input *input)
{
	uint8_t byte;

	input_bytes(input, &byte, 1);
	return byte;
}

void input_bytes(struct input *input, void *to, size_t size)
{
	size_t here = size < input->left ? size : input->left;

	memset(to, 0, size);
	if (here)
		memcpy(to, input->at, here);
	input->at += here;
	input->left -= here;
}

char *input_text(struct input *input)
{
	size_t size = input->left;
	char *text = malloc(size + 1);

	promise(text);
	input_bytes(input, text, size);
	text[size] = '\0';
	return text;
}

/* -------------------------------------------------------------- the run */

/* Of this thread: other programs on the machine do not count. */
static long long spent_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
	return now.tv_sec * 1000000000LL + now.tv_nsec;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	long long began_ns = spent_ns();

	fuzz_dir();
	fuzz_is_running = true;
	fuzz_one(data, size);
	fuzz_is_running = false;
	promise(spent_ns() - began_ns < MAX_NS);
	return 0;
}
