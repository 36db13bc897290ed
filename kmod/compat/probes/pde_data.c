// SPDX-License-Identifier: GPL-2.0-only
/* Is it pde_data() (since 5.17) or PDE_DATA()? */
#include <linux/proc_fs.h>

void *probe(const struct inode *inode);
void *probe(const struct inode *inode)
{
	return pde_data(inode);
}
