/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Whether it is known what a target misses of a disk.  It is so only if three
 * things meet: the target is where our last run left it, the pending set says
 * so without a doubt, and the tracker has watched since then.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

struct pending;
struct session;

/*
 * The doubt there is about @pending, the set of the session's disk @i, in a
 * sentence for the admin; NULL: none. @paired: the target is where that set
 * says that it is.
 */
const char *doubt_about(const struct session *session, size_t i,
			const struct pending *pending, bool paired);

/* The same of what came after the last cut that @pending has the changes of: as
 * its tracker sees it now. */
const char *doubt_since_cut(const struct session *session, size_t i,
			    const struct pending *pending);
