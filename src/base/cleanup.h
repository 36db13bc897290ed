/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a function holds it gives back at the end of its scope, whichever way
 * it leaves.  Declare with a cleanup attribute, initialise at once, and hand
 * over to the caller with TAKE_PTR() or TAKE_FD().
 */
#pragma once

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define _cleanup_(function) __attribute__((cleanup(function)))

static inline void cleanup_free(void *p)
{
	free(*(void **)p);
}

static inline void cleanup_close(int *fd)
{
	if (*fd >= 0)
		close(*fd);
}

static inline void cleanup_fclose(FILE **file)
{
	if (*file)
		fclose(*file);
}

static inline void cleanup_closedir(DIR **dir)
{
	if (*dir)
		closedir(*dir);
}

#define _cleanup_free_ _cleanup_(cleanup_free)
#define _cleanup_close_ _cleanup_(cleanup_close)
#define _cleanup_fclose_ _cleanup_(cleanup_fclose)
#define _cleanup_closedir_ _cleanup_(cleanup_closedir)

/* Defines a cleanup function for pointers to @type from its destructor. */
#define DEFINE_CLEANUP(type, destructor)                 \
	static inline void cleanup_##destructor(type *p) \
	{                                                \
		if (*p)                                  \
			destructor(*p);                  \
	}                                                \
	struct swallow_semicolon

#define TAKE_PTR(ptr)                           \
	({                                      \
		__typeof__(ptr) taken_ = (ptr); \
		(ptr) = NULL;                   \
		taken_;                         \
	})

#define TAKE_FD(fd)                \
	({                         \
		int taken_ = (fd); \
		(fd) = -1;         \
		taken_;            \
	})
