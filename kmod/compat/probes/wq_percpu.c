// SPDX-License-Identifier: GPL-2.0-only
/* Can a workqueue say that it is per processor (since 6.17)? */
#include <linux/workqueue.h>

unsigned int probe(void);
unsigned int probe(void)
{
	return WQ_PERCPU;
}
