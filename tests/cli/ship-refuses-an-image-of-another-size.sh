#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# A destination of another size is another image: refused with exit code 6,
# and nothing is written.
. "$(dirname "$0")/lib.sh"

random_file new 1048576
for size in 1044480 1052672 512 2097152; do
	truncate -s "$size" dest
	cp dest before
	serve dest
	expect 6 "$DSYNC_VM" ship new "$uri"
	says 'image of another size'
	says "$uri"
	end_server
	cmp before dest
	rm dest
done
