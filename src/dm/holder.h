/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Who uses a block device, for whoever is about to overwrite it. */
#pragma once

#include <sys/types.h>

/*
 * What the block device @dev, its partitions or the disk that it is a partition
 * of are used for: mounts, swap, devices on top of them, other processes that
 * have them open for writing. Returns one of these uses, in words that follow
 * "PATH: ", NULL if none is known. The caller frees it.
 */
char *holder_find(dev_t dev);
