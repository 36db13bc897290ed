#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# What happens while all of the metadata are being written, such as an epoch
# that begins or a write that waits too long, is not forgotten afterwards.
# timeout: 240
# disks: 8G 64M
. "$TOP/tests/vm/lib.sh"
. "$TOP/tests/vm/lib-module.sh"

read -r data raw <<<"$DISKS"
dev=/dev/mapper/t

# Every transfer to the metadata takes a while.
slow() {
	dmsetup reload meta --table "0 $(sectors "$raw") delay $raw 0 $1"
	dmsetup resume meta
}
blank() {
	dd if=/dev/zero of="$raw" bs=1M count=4 oflag=direct status=none
}
dm_create meta "0 $(sectors "$raw") linear $raw 0"

state_is() {
	[ "$(state t)" = "$1" ]
}

echo '== an epoch begins while the metadata are being formatted'
blank
slow 300
track_on t "$data" /dev/mapper/meta 8 '2 meta_timeout_ms 400'
write_at $dev 0 8
cut_at t 1
for i in 8 16 4096 8192; do
	write_at $dev $i 8
done
slow 0
expect_equal "$(blocks t)" '1-2 512 1024'
wait_until 30 dmsetup message t 0 flush
dmsetup message t 0 epoch_end "$(id 1)"
dmsetup message t 0 flush
dm_remove t
track_on t "$data" /dev/mapper/meta
expect_equal "$(state t) $(blocks t)" 'clean 1-2 512 1024'
dm_remove t

echo '== writes that wait too long while an abort is written out'
blank
slow 0
track_on t "$data" /dev/mapper/meta 8 '4 meta_timeout_ms 300 active_regions 8'
wait_until 30 dmsetup message t 0 flush
cut_at t 1
slow 250
dmsetup message t 0 epoch_abort "$(id 1)"
for i in 1 2 3 4 5 6 7 8; do
	write_at $dev $((i * 65536)) 8 &
done
blkdiscard -o 4096 -l 4294963200 $dev
wait
slow 0
wait_until 60 state_is clean
wait_until 30 dmsetup message t 0 flush
before=$(value t intent_commits)
write_at $dev 0 8
write_at $dev 655360 8
[ "$(value t intent_commits)" -gt "$before" ] ||
	fail 'writes do not wait for intents any more'
dm_remove t
dm_remove meta
