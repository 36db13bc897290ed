#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Holds of disks that were suspended together show one instant.
# timeout: 120
# disks: 64M 64M 64M 64M
. "$TOP/tests/vm/lib.sh"
. "$TOP/tests/vm/lib-module.sh"
. "$TOP/tests/vm/lib-hold.sh"

read -r data1 data2 cow1 cow2 <<<"$DISKS"
track t1 "$data1"
track t2 "$data2"
for name in t1 t2; do
	cut_at $name 1
	end $name 1
done

"$stomp" count -k 32 /dev/mapper/t1 /dev/mapper/t2 &
counter=$!
cleanup_fn end_process $counter
all_written() {
	[ "$(dirty t1) $(dirty t2)" = '32 32' ]
}
for epoch in 2 3 4; do
	make_hold h1 t1 "$cow1"
	make_hold h2 t2 "$cow2"
	wait_until 30 all_written
	for name in t1 t2; do
		dmsetup suspend $name
	done
	for name in t1 t2; do
		begin $name $epoch
	done
	for name in t1 t2; do
		dmsetup resume $name
	done
	# Let it be overwritten.
	wait_until 30 all_written
	"$stomp" instant -k 32 /dev/mapper/h1 /dev/mapper/h2
	expect_equal "$(value t1 hold_copies) $(value t2 hold_copies)" '32 32'
	for name in t1 t2; do
		end $name $epoch
	done
	dm_remove h1
	dm_remove h2
done
kill $counter
wait $counter
"$stomp" instant -k 32 /dev/mapper/t1 /dev/mapper/t2
