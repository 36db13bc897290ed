/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the configuration says to a command line: which location a target's
 * name stands for, and what is so for one domain.
 */
#pragma once

#include "base/config.h"

struct options;

/*
 * What is configured for the domain that the user calls @domain, by name or
 * uuid; NULL: for all. Freed by config_clear(), also after a failure.
 */
int configured(const struct options *options, const char *domain,
	       struct config *ret_config, struct err *err);

/*
 * The location that the operand @spec means: that of the configured target of
 * that name, else what it says. NULL: that of the default target; if there is
 * none the command line lacks an argument, and the process ends. The caller
 * frees @ret_location.
 */
int configured_location(const struct options *options,
			const struct config *config, const char *spec,
			char **ret_location, struct err *err);

/* Both in one, for who needs nothing else of the configuration. */
int configured_target(const struct options *options, const char *domain,
		      const char *spec, char **ret_location, struct err *err);

/*
 * How many bytes a second may go to the target that @spec means (NULL: the
 * default one), which is at @location: what its section says, found by its name
 * or else by its location. 0: no limit.
 */
uint64_t configured_bwlimit(const struct config *config, const char *spec,
			    const char *location);
