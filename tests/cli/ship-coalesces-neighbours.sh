#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# Neighbours of the map go as one request, of 1 MiB at most; gaps are not
# filled, and the last request of all is the flush.
. "$(dirname "$0")/lib.sh"

requires python3 -c ''
requires nbdkit --filter=log memory 1 --dump-plugin

random_file new 8388608
make_map 2048 0 2-3 10-20 256-1023 1500-1800 2047 >map
cat >want <<'END'
Write 0 4096
Write 8192 8192
Write 40960 45056
Write 1048576 1048576
Write 2097152 1048576
Write 3145728 1048576
Write 6144000 147456
Write 6291456 1048576
Write 7340032 36864
Write 8384512 4096
END
serve_nbdkit --filter=log memory 8M logfile=log
ship --map map new "$uri"
asked log >requests
grep Write requests | sort -n -k2 | diff want - ||
	failed "other requests than these"
[ "$(tail -n 1 requests | cut -d' ' -f1)" = Flush ] || failed "no flush at end"
[ "$(reported writes)" = 10 ] || failed "$(cat out)"
