// SPDX-License-Identifier: GPL-2.0-only
#include <linux/device-mapper.h>

void probe(struct dm_target *ti);
void probe(struct dm_target *ti)
{
	ti->num_write_same_bios = 1;
}
