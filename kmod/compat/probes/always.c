// SPDX-License-Identifier: GPL-2.0-only
/* Compiles with every kernel: tells a missing feature from broken headers. */
#include <linux/device-mapper.h>
#include <linux/module.h>

MODULE_LICENSE("GPL");
