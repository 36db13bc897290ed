/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What attach and detach both print. */
#pragma once

#include "base/err.h"
#include "job/attach.h"

struct options;

/*
 * The end of either command: text, diff (@dry_run) or JSON. @verb is "attached"
 * or "given back". Frees @report.
 */
enum exit_code attach_print(const struct options *options,
			    struct attach_report *report, const char *verb,
			    bool dry_run, const struct err *err);
