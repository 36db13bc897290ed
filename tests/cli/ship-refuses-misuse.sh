#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# What makes no sense is refused with one clear line and exit code 2, before
# anything is written.
. "$(dirname "$0")/lib.sh"

random_file new 1048576
truncate -s 1M dest
cp dest before
for bytes in 512 2048 5000 2097152 -4096 4096x ''; do
	expect 2 "$DSYNC_VM" ship --block-bytes="$bytes" --format raw new dest
	grep -q 'power of two' err || failed "$(cat err)"
done
expect 2 "$DSYNC_VM" ship new dest
grep -q 'say its --format' err || failed "$(cat err)"
expect 2 "$DSYNC_VM" ship --format raw new "$uri"
expect 2 "$DSYNC_VM" ship new
expect 2 "$DSYNC_VM" ship new "http://localhost/"
says 'http://localhost/'
cmp before dest

expect 1 "$DSYNC_VM" ship --format raw missing dest
says 'missing: No such file or directory'
expect 1 "$DSYNC_VM" ship --format raw . dest
says '.: '
expect 1 "$DSYNC_VM" ship --format raw new missing
says 'missing: No such file or directory'
expect 1 "$DSYNC_VM" ship --format raw dest .
