// SPDX-License-Identifier: GPL-2.0-only
/*
 * dm-dsync: tracks which blocks of a device have changed.
 *
 * This is the module's ladder: what is set up, in which order. dm-dsync(4)
 * says what it is for; dm-dsync-target.c is where to start reading.
 */
#include <linux/init.h>
#include <linux/module.h>

#include "dm-dsync-hold.h"
#include "dm-dsync-io.h"
#include "dm-dsync-proc.h"
#include "dm-dsync.h"

static int __init dsync_init(void)
{
	int r;

	r = dsync_io_init();
	if (r)
		goto err;
	r = dsync_proc_init();
	if (r)
		goto err_io_exit;
	r = dsync_target_init();
	if (r)
		goto err_proc_exit;
	r = dsync_hold_target_init();
	if (r)
		goto err_target_exit;
	return 0;

err_target_exit:
	dsync_target_exit();
err_proc_exit:
	dsync_proc_exit();
err_io_exit:
	dsync_io_exit();
err:
	return r;
}

static void __exit dsync_exit(void)
{
	dsync_hold_target_exit();
	dsync_target_exit();
	dsync_proc_exit();
	dsync_io_exit();
}

module_init(dsync_init);
module_exit(dsync_exit);

MODULE_DESCRIPTION("device-mapper target that tracks changed blocks");
MODULE_AUTHOR("The dsync-vm developers");
MODULE_LICENSE("GPL");
