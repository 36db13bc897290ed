/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * LOOP_CONFIGURE (Linux 5.8) does all in one step, so there is no moment in
 * which a device exists without autoclear or direct I/O.
 *
 * What the host's udev makes of a loop device depends on what is on top
 * (host/56-dsync-vm.rules), and at first nothing is.  udevd leaves a block
 * device alone as long as somebody has an exclusive flock on it, and comes
 * back later; so the caller's descriptor has one until it is closed, when the
 * dm device is there.
 */
#include "dm/loop.h"

#include <dirent.h>
#include <fcntl.h>
#include <linux/loop.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <time.h>

#include "base/err.h"
#include "base/run.h"
#include "dm/image-lock.h"

#define LOOP_MAJOR 7
#define CONFIGURE_TRIES 66 /* somebody else may take the free one first */
#define LOCK_TRIES 50      /* of these; a lock is not worth a failing guest */
#define LOCK_PAUSE_MS 100

void loop_close(struct loop *loop)
{
	if (loop->fd >= 0)
		close(loop->fd);
	loop->fd = -1;
}

static int open_device(unsigned int number, char path[32], int flags)
{
	int fd;

	snprintf(path, 32, "/dev/loop%u", number);
	fd = open(path, flags | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

static bool is_on_inode(int loop_fd, const struct stat *file)
{
	struct loop_info64 info;

	return ioctl(loop_fd, LOOP_GET_STATUS64, &info) == 0 &&
	       info.lo_inode == file->st_ino && info.lo_device == file->st_dev;
}

bool loop_is_on(dev_t dev, const char *path)
{
	_cleanup_close_ int fd = -1;
	struct stat st;
	char node[32];

	if (major(dev) != LOOP_MAJOR || stat(path, &st) < 0)
		return false;
	fd = open_device(minor(dev), node, O_RDONLY);
	return fd >= 0 && is_on_inode(fd, &st);
}

/* One loop device to an inode: two would have two page caches. */
static int refuse_second(const struct stat *file, const char *path,
			 struct err *err)
{
	_cleanup_closedir_ DIR *dir = opendir("/sys/block");
	struct dirent *entry;
	unsigned int number;
	char node[32], state[64];

	if (!dir)
		return fail_errno(err, -errno, "/sys/block");
	while ((entry = readdir(dir))) {
		_cleanup_close_ int fd = -1;

		if (sscanf(entry->d_name, "loop%u", &number) != 1)
			continue;
		snprintf(state, sizeof(state), "/sys/block/loop%u/loop",
			 number);
		if (access(state, F_OK) < 0)
			continue;
		fd = open_device(number, node, O_RDONLY);
		if (fd >= 0 && is_on_inode(fd, file))
			return fail(err, -EBUSY, "%s: %s is on it already",
				    path, node);
	}
	return 0;
}

/* False after a pause, if udevd has it locked while it looks at it. */
static bool lock_out_udev(int loop_fd)
{
	const struct timespec pause = {.tv_nsec = LOCK_PAUSE_MS * 1000000L};

	if (flock(loop_fd, LOCK_EX | LOCK_NB) == 0)
		return true;
	nanosleep(&pause, NULL);
	return false;
}

static int configure(int loop_fd, int file_fd, const char *path,
		     unsigned int flags)
{
	struct loop_config config = {.fd = file_fd, .info.lo_flags = flags};

	snprintf((char *)config.info.lo_file_name, LO_NAME_SIZE, "%s", path);
	return ioctl(loop_fd, LOOP_CONFIGURE, &config) < 0 ? -errno : 0;
}

/* Without udev's static nodes, the node is there only with the module. */
static int open_control(void)
{
	static const char *const modprobe[] = {"modprobe", "loop", NULL};
	int fd = open("/dev/loop-control", O_RDWR | O_CLOEXEC);

	if (fd < 0 && errno == ENOENT && run_command(modprobe, NULL) == 0)
		fd = open("/dev/loop-control", O_RDWR | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

static int map_free_one(int file_fd, const char *path, struct loop *loop)
{
	_cleanup_close_ int control = open_control();
	int r = -EBUSY;

	if (control < 0)
		return control;
	for (int i = 0; i < CONFIGURE_TRIES && r == -EBUSY; i++) {
		_cleanup_close_ int fd = -1;
		int number = ioctl(control, LOOP_CTL_GET_FREE);

		if (number < 0)
			return -errno;
		fd = open_device(number, loop->path, O_RDWR);
		if (fd < 0)
			return fd;
		if (i < LOCK_TRIES && !lock_out_udev(fd))
			continue;
		r = configure(fd, file_fd, path,
			      LO_FLAGS_AUTOCLEAR | LO_FLAGS_DIRECT_IO);
		if (r == -EINVAL) /* some kernels, if direct I/O can not be */
			r = configure(fd, file_fd, path, LO_FLAGS_AUTOCLEAR);
		if (r < 0)
			continue;
		loop->dev = makedev(LOOP_MAJOR, number);
		loop->fd = TAKE_FD(fd);
	}
	return r;
}

int loop_open(const char *path, struct loop *ret_loop, struct err *err)
{
	_cleanup_close_ int file_fd = open(path, O_RDWR | O_CLOEXEC);
	struct loop loop = {.fd = -1};
	struct loop_info64 info;
	struct stat st;
	int r;

	if (file_fd < 0 || fstat(file_fd, &st) < 0)
		return fail_errno(err, -errno, "%s", path);
	r = refuse_second(&st, path, err);
	if (r == 0)
		r = image_lock(file_fd, path, err);
	if (r < 0)
		return r;
	r = map_free_one(file_fd, path, &loop);
	if (r < 0)
		return fail_errno(err, r, "%s: no loop device for it", path);
	if (ioctl(loop.fd, LOOP_GET_STATUS64, &info) == 0)
		loop.direct_io = info.lo_flags & LO_FLAGS_DIRECT_IO;
	*ret_loop = loop;
	return 0;
}
