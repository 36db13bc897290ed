// SPDX-License-Identifier: GPL-2.0-only
/* Does WRITE SAME still exist (until 5.18)? */
#include <linux/device-mapper.h>

void probe(struct dm_target *ti);
void probe(struct dm_target *ti)
{
	ti->num_write_same_bios = 1;
}
