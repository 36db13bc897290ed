/* SPDX-License-Identifier: GPL-2.0-only */
/* Where things lie in the cache is of no interest to tests. */
#ifndef SHIM_LINUX_CACHE_H
#define SHIM_LINUX_CACHE_H

#define ____cacheline_aligned_in_smp

#endif
