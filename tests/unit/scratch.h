/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A directory for one test, removed at its end. */
#pragma once

#include <stdio.h>
#include <stdlib.h>

#define SCRATCH_SIZE 64

static inline int scratch_setup(void **state)
{
	char *path = malloc(SCRATCH_SIZE);

	snprintf(path, SCRATCH_SIZE, "/tmp/dsync-unit-XXXXXX");
	*state = mkdtemp(path);
	return *state ? 0 : -1;
}

static inline int scratch_teardown(void **state)
{
	char command[SCRATCH_SIZE + 32];

	snprintf(command, sizeof(command), "rm -rf '%s'", (char *)*state);
	free(*state);
	return system(command);
}

#define scratch_test(function)                                   \
	cmocka_unit_test_setup_teardown(function, scratch_setup, \
					scratch_teardown)
