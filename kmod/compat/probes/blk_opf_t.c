// SPDX-License-Identifier: GPL-2.0-only
/* Do the flags of a bio have a type of their own (since 6.0)? */
#include <linux/blk_types.h>

blk_opf_t probe(void);
blk_opf_t probe(void)
{
	return REQ_OP_WRITE | REQ_FUA;
}
