/* SPDX-License-Identifier: GPL-2.0-only */
/* kvcalloc() and kvfree(): there is one heap in user space. */
#include <linux/slab.h>
