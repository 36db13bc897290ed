/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What user space may rely on: names and words, see dm-dsync(4). */
#ifndef UAPI_DSYNC_H
#define UAPI_DSYNC_H

#define DSYNC_TARGET "dsync"
#define DSYNC_HOLD_TARGET "dsync-hold"
#define DSYNC_PROC_DIR "dsync"

/* Files in /proc/dsync/NAME/ */
#define DSYNC_PROC_DIRTY "dirty"
#define DSYNC_PROC_BITMAP "bitmap"
#define DSYNC_PROC_FROZEN "frozen"
#define DSYNC_PROC_SEED "seed"

/* Messages */
#define DSYNC_MSG_EPOCH_BEGIN "epoch_begin"
#define DSYNC_MSG_EPOCH_END "epoch_end"
#define DSYNC_MSG_EPOCH_ABORT "epoch_abort"
#define DSYNC_MSG_FLUSH "flush"
#define DSYNC_MSG_RELEASE "release"

/* STATE in the status line */
#define DSYNC_STATE_CLEAN "clean"
#define DSYNC_STATE_RECOVERED "recovered"
#define DSYNC_STATE_DEGRADED "degraded"
#define DSYNC_STATE_LOST "lost"

/* hold in the status line */
#define DSYNC_HOLD_STATE_NONE "none"
#define DSYNC_HOLD_STATE_READY "ready"
#define DSYNC_HOLD_STATE_ARMED "armed"
#define DSYNC_HOLD_STATE_INVALID "invalid"

/* The smallest block, in 512-byte sectors */
#define DSYNC_MIN_BLOCK_SECTORS 8

/*
 * Regions that may be active, unless the table says otherwise: what 16 blocks
 * of META_DEV have room for. With those of one block, random writes over a TiB
 * have a third of the rate; with those of four, two thirds.
 */
#define DSYNC_DEFAULT_ACTIVE_REGIONS 15872

/* The most that active_regions may be */
#define DSYNC_MAX_ACTIVE_REGIONS 65536

#endif
