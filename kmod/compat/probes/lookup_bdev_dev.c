// SPDX-License-Identifier: GPL-2.0-only
/* Does lookup_bdev() give numbers, not a device (since 5.11)? */
#include <linux/blkdev.h>

int probe(const char *path, dev_t *dev);
int probe(const char *path, dev_t *dev)
{
	return lookup_bdev(path, dev);
}
