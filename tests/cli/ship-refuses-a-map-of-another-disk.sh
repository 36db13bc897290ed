#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# A map that is too short, too long, or has bits behind the end of the disk is
# refused as misuse, and nothing is written.
. "$(dirname "$0")/lib.sh"

random_file new 1073152 # 262 blocks: 33 bytes, 6 bits in the last one
truncate -s 1073152 dest
cp dest before
serve dest
head -c 33 /dev/zero >right
head -c 32 /dev/zero >short
head -c 40 /dev/zero >words
head -c 41 /dev/zero >long
{ head -c 32 /dev/zero; printf '\100'; } >behind
{ head -c 39 /dev/zero; printf '\1'; } >far-behind
: >empty
for map in short long behind far-behind empty; do
	expect 2 "$DSYNC_VM" ship --map $map new "$uri"
	says "$map: not a map of this disk's 262 blocks"
done
expect 1 "$DSYNC_VM" ship --map missing new "$uri"
says 'missing: No such file'
for map in right words; do
	ship --map $map new "$uri"
	[ "$(reported blocks)" = 0 ] || failed "$(cat out)"
done
end_server
cmp before dest
