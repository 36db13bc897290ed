/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Makes an older kernel look like the newest one; included before all else.
 *
 * The core is written for the newest kernel and knows nothing of this. What
 * a kernel has is found by compiling the files in probes/ against its headers
 * (distributions backport, so a version says little); a probe that compiles
 * defines HAVE_ and its name. Macros need no probe. Each part names the
 * mainline version from which on it is not needed.
 */
#ifndef DSYNC_COMPAT_H
#define DSYNC_COMPAT_H

#include <linux/bio.h>
#include <linux/blkdev.h>
#include <linux/device-mapper.h>
#include <linux/proc_fs.h>

#include "../config.h"

/* 5.11 */
#ifndef HAVE_BDEV_NR_SECTORS
static inline sector_t bdev_nr_sectors(struct block_device *bdev)
{
	return i_size_read(bdev->bd_inode) >> SECTOR_SHIFT;
}
#endif

/* 5.11: numbers in place of a device that is open */
#ifndef HAVE_LOOKUP_BDEV_DEV
static inline int dsync_compat_lookup_bdev(const char *path, dev_t *dev)
{
	struct block_device *bdev = lookup_bdev(path);

	if (IS_ERR(bdev))
		return PTR_ERR(bdev);
	*dev = bdev->bd_dev;
	bdput(bdev);
	return 0;
}
#define lookup_bdev dsync_compat_lookup_bdev
#endif

/* 5.15: a flag of the disk in place of one of its queue */
static inline bool disk_is_dead(struct gendisk *disk)
{
#ifdef GD_DEAD
	return test_bit(GD_DEAD, &disk->state);
#else
	return blk_queue_dying(disk->queue);
#endif
}

/* 5.15: measurements */
#ifndef DMEMIT_TARGET_NAME_VERSION
#define STATUSTYPE_IMA ((status_type_t)2)
#pragma GCC diagnostic ignored "-Wswitch" /* not one of the enum's */
#define DMEMIT_TARGET_NAME_VERSION(y)                               \
	DMEMIT("target_name=%s,target_version=%u.%u.%u", (y)->name, \
	       (y)->version[0], (y)->version[1], (y)->version[2])
#endif

/* 5.17 */
#ifndef HAVE_PDE_DATA
static inline void *pde_data(const struct inode *inode)
{
	return PDE_DATA(inode);
}
#endif

/* 5.18: WRITE SAME is gone */
static inline void dsync_compat_set_bios(struct dm_target *ti)
{
#ifdef HAVE_WRITE_SAME
	ti->num_write_same_bios = 1;
#endif
}

/* 5.18 */
#ifndef HAVE_BIO_INIT_BDEV
static inline void dsync_compat_bio_init(struct bio *bio,
					 struct block_device *bdev,
					 struct bio_vec *table,
					 unsigned short max_vecs,
					 unsigned int opf)
{
	bio_init(bio, table, max_vecs);
	bio_set_dev(bio, bdev);
	bio->bi_opf = opf;
}
#define bio_init dsync_compat_bio_init
#endif

/* 6.0 */
#ifndef HAVE_BLK_OPF_T
typedef unsigned int blk_opf_t;
#endif

/* 6.14 */
#ifndef DM_TARGET_ATOMIC_WRITES
#define DM_TARGET_ATOMIC_WRITES 0
#endif

/* 6.17: asked for, no longer the default */
#ifndef HAVE_WQ_PERCPU
#define WQ_PERCPU 0
#endif

#endif
