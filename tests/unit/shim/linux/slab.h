/* SPDX-License-Identifier: GPL-2.0-only */
/* The kernel's allocator over malloc(), failing when a test says so. */
#ifndef SHIM_LINUX_SLAB_H
#define SHIM_LINUX_SLAB_H

#include <stdlib.h>
#include <string.h>

#define GFP_KERNEL 0
#define GFP_NOWAIT 1
#define __GFP_NOWARN 2
#define __GFP_NORETRY 4

/* The test provides it: to fail at will, and to count what is still there. */
void *shim_alloc(size_t size, int gfp);
void shim_free(void *p);

#define kmalloc(size, gfp) shim_alloc(size, gfp)
#define kzalloc(size, gfp) shim_alloc(size, gfp)
#define kfree(p) shim_free(p)
#define kvcalloc(n, size, gfp) shim_alloc((n) * (size), gfp)
#define kvfree(p) shim_free(p)
#define cond_resched() ((void)0)

#endif
