#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# A module that is denied memory, now and then or always, marks every write.
# kernel: debug
# disks: 64M
. "$TOP/tests/vm/lib.sh"
. "$TOP/tests/vm/lib-module.sh"
. "$TOP/tests/vm/lib-fault.sh"

data=${DISKS%% *}
dev=/dev/mapper/t
stomp=$(program stomp)

copy() {
	dd if="$data" of="$1" bs=1M iflag=direct status=none
}

track t "$data"
cut_at t 1
dmsetup message t 0 epoch_end "$(id 1)"
copy before
epoch=1
faults_on
for percent in 10 50 50 100; do
	starve_module $percent
	: >touched
	"$stomp" write -s "$RANDOM" -n 100 -t 2 $dev touched
	cut_at t $((++epoch))
	feed_module
	copy after
	# More than was touched may be marked, but nothing less.
	cat /proc/dsync/t/frozen >frozen
	"$stomp" check before after frozen frozen
	dmsetup message t 0 epoch_end "$(id $epoch)"
	mv after before
done
echo "coarse marks: $(value t coarse_marks)"
[ "$(value t coarse_marks)" -gt 0 ] || fail 'nothing failed'
