// SPDX-License-Identifier: GPL-2.0-only
/* Is there bdev_nr_sectors() (since 5.11)? */
#include <linux/blkdev.h>

sector_t probe(struct block_device *bdev);
sector_t probe(struct block_device *bdev)
{
	return bdev_nr_sectors(bdev);
}
