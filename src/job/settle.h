/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Where is it? After whoever moved a domain was killed, or lost sight of the
 * other host, the domain is on one of the two, on both, or on none, and in any
 * case it stands.  Who is asked here:
 *
 *	QEMU is here                  it did not leave: it goes on here
 *	not here, and it arrived      it goes on there
 *	there with all its disks
 *	not here, and it did not      its disks here are whole: it may be
 *	arrive                        started here
 *	not here, and that host is    nobody can tell: nothing is done, and it
 *	silent                        is not started here
 *
 * As long as QEMU is here, nothing runs there: it cannot go on without leave
 * (receiver.h).  Whether it arrived says the receiver, or the mark that it has
 * left behind.  So it never runs twice.
 */
#pragma once

#include "base/err.h"

struct ui;

enum settle_result {
	SETTLE_NOTHING, /* nobody moved it */
	SETTLE_HERE,    /* it is here again, and may be started */
	SETTLE_THERE,   /* it is on the other host */
	SETTLE_UNKNOWN, /* that host does not answer */
};

/* Puts it right, as far as can be told. @ret_uri, which the caller frees, is
 * the other host; NULL: nobody moved it. */
int settle_run(const char *connect, const char *domain,
	       enum settle_result *ret_result, char **ret_uri, struct ui *ui,
	       struct err *err);

/* Gives a domain back to this host that was handed over and is not running on
 * the other one, or that nobody can ask about any more. */
int settle_abort(const char *connect, const char *domain, struct ui *ui,
		 struct err *err);
