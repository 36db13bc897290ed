#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# A disk may end in the middle of a block: its last sectors are shipped too,
# data or zeroes, and nothing is written past the end.
. "$(dirname "$0")/lib.sh"

for size in 512 3584 4096 4608 1049088 1052160; do
	random_file new "$size"
	truncate -s "$size" zero
	for block in 4096 65536; do
		random_file dest "$size"
		serve dest
		ship --block-bytes "$block" new "$uri"
		cmp new dest || failed "$size bytes, blocks of $block"
		[ "$(reported sent_bytes)" = "$size" ] || failed "$(cat out)"
		ship --block-bytes "$block" zero "$uri"
		end_server
		cmp zero dest || failed "$size zeroes, blocks of $block"
	done
done

random_file new 1000
random_file dest 1000
expect 8 "$DSYNC_VM" ship --format raw new dest
says 'not a multiple of 512'
