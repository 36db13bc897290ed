#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# What extract says changed, merge writes where it was, and nothing else: random
# maps, block sizes, zeroes and disk sizes, and whole disks into new files.
. "$(dirname "$0")/lib.sh"

requires python3 -c ''
new_seed
for block in 4096 8192 1048576; do
	python3 "$tests/make-disks.py" "$seed" "$block" 4
	"$DSYNC_VM" extract -q --map map --block-bytes "$block" ./new >stream
	cp old copy
	"$DSYNC_VM" merge -q copy <stream >id
	cmp want copy || failed "block $block, seed $seed"
	grep -q -E '^[0-9a-f-]{36}$' id || failed "no id: $(cat id)"

	# Once more: the same.
	"$DSYNC_VM" merge -q copy <stream >again
	cmp want copy
	cmp id again

	# The whole disk, into a file that is not there, and with its holes.
	rm -f copy
	"$DSYNC_VM" extract -q ./new | "$DSYNC_VM" merge -q copy >id
	cmp new copy
	truncate -s 64M empty
	"$DSYNC_VM" extract -q ./empty | "$DSYNC_VM" merge -q holes >id
	cmp empty holes
	[ "$(du -k holes | cut -f1)" = 0 ] || failed "$(du -k holes)"
	rm holes
	seed=$((seed + 1))
done

# A server's export is a source too; zeroes of the map become zeroes.
serve empty --read-only
"$DSYNC_VM" extract -q "$uri" | "$DSYNC_VM" merge -q --output json holes >out
end_server
cmp empty holes
[ "$(reported whole_disk)" = true ] || failed "$(cat out)"
[ "$(reported zero_bytes)" = 67108864 ] || failed "$(cat out)"
