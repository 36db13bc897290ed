#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# Offsets beyond 2 and 4 GiB are exact.
. "$(dirname "$0")/lib.sh"

requires python3 -c ''
truncate -s 5000M new dest want
for mib in 1 2047 2048 4095 4096 4999; do
	random_file piece 1048576
	for file in new want; do
		dd if=piece of=$file bs=1M seek=$mib conv=notrunc status=none
	done
done
# Changed, but not in the map.
printf 'x' | dd of=new bs=1M seek=4500 conv=notrunc status=none
make_map 1280000 256-511 524032-524543 1048320-1048831 1279744-1279999 >map
serve dest
ship --map map new "$uri"
[ "$(reported sent_bytes)" = 6291456 ] || failed "$(cat out)"
qemu-img compare -q -f raw -F raw want dest
