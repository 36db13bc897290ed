// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Begins an epoch as a backup does, and prints for how many microseconds the
 * device was suspended.
 *
 *	cut NAME EPOCH
 *
 * It is the backup's own code: what it saves by preparing all beforehand is
 * most of what dmsetup would take.
 */
#include <stdio.h>

#include "base/err.h"
#include "dm/cut.h"

int main(int argc, char *argv[])
{
	_cleanup_cut_ struct cut *cut = NULL;
	struct err err = {0};
	const char *names[1];
	int r;

	if (argc != 3) {
		fprintf(stderr, "usage: cut NAME EPOCH\n");
		return 2;
	}
	names[0] = argv[1];
	r = cut_prepare(names, 1, argv[2], &cut, &err);
	if (r == 0)
		r = cut_run(cut, &err);
	if (r < 0) {
		fprintf(stderr, "cut: %s\n", err.text);
		return 1;
	}
	printf("%llu\n", (unsigned long long)cut_suspend_us(cut));
	return 0;
}
