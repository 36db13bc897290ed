#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Wherever the power is cut, no block that changed since the last epoch is
# missing, and not many are there that did not.
# timeout: 600
# mem: 3G
# disks: 3G 8G 64M
#
# SEED=N repeats a run as far as the scheduler lets it.
. "$TOP/tests/vm/lib.sh"
. "$TOP/tests/vm/lib-module.sh"

SEED=${SEED:-$((RANDOM << 15 | RANDOM))}
RANDOM=$SEED
echo "seed $SEED"
stomp=$(program stomp)
replay=$(program replay)
read -r disk log scratch <<<"$DISKS"

# The replay begins with zeroes.
blkdiscard -z "$disk"

# 1 MiB of metadata and 2.5 GiB of data on one logged disk. Of each 128 MiB only
# the first 512 KiB are used: they have a leaf of the bitmap of their own, so that
# what is written for others does not save them by chance. 16 of their 160 regions
# can be active.
meta_sectors=2048 data_sectors=5242880
parts="-c $((512 << 10)) -g $((128 << 20))"
options='4 region_sectors 128 active_regions 16'
dm_create lw "0 $((meta_sectors + data_sectors)) log-writes $disk $log"
dm_create meta "0 $meta_sectors linear /dev/mapper/lw 0"
dm_create data "0 $data_sectors linear /dev/mapper/lw $meta_sectors"
track_on t /dev/mapper/data /dev/mapper/meta 8 "$options"

epoch=0
begin() {
	[ "$(value t open)" = - ] || return 0
	epoch=$((epoch + 1))
	timeout 60 dmsetup suspend t
	sync /dev/mapper/lw
	dmsetup message lw 0 mark "cut=$(id $epoch)"
	timeout 20 dmsetup message t 0 epoch_begin "$(id $epoch)"
	timeout 60 dmsetup resume t
}

# Regions come and go, so that what was active at the cut is not any more.
let_write() {
	wait_until 60 has_written $(($(value t intent_commits) + RANDOM % 12))
}

has_written() {
	[ "$(value t intent_commits)" -ge "$1" ] ||
		! kill -0 "$stomper" 2>/dev/null
}

begin
dmsetup message t 0 epoch_end "$(id $epoch)"
for _ in $(seq "${ROUNDS:-8}"); do
	# shellcheck disable=SC2086 # two options
	"$stomp" write -d $parts -s "$RANDOM" -n "$((RANDOM % 300 + 100))" -t 3 \
		/dev/mapper/t touched >/dev/null &
	stomper=$!
	for _ in 1 2; do
		case $((RANDOM % 8)) in
		0) dmsetup message t 0 flush || : ;;
		1)
			dmsetup reload t \
				--table "0 $data_sectors dsync /dev/mapper/data /dev/mapper/meta 8"
			timeout 60 dmsetup resume t
			;;
		2) ;;
		*) begin ;;
		esac
		let_write
		case $((RANDOM % 4)) in
		0 | 1) dmsetup message t 0 epoch_abort "$(id $epoch)" 2>/dev/null || : ;;
		2) dmsetup message t 0 epoch_end "$(id $epoch)" 2>/dev/null || : ;;
		*) ;;
		esac
	done
	wait $stomper
	dmsetup message t 0 epoch_end "$(id $epoch)" 2>/dev/null || :
	# A clean stop now and then
	if [ $((RANDOM % 4)) = 0 ]; then
		dm_remove t
		track_on t /dev/mapper/data /dev/mapper/meta 8
	fi
done
dmsetup status t
dm_remove t
dmsetup message lw 0 mark end
dm_remove meta
dm_remove data
dm_remove lw

dm_create blank "0 $data_sectors zero"
# shellcheck disable=SC2086
"$replay" -s "$RANDOM" -n "${POINTS:-200}" -m $((meta_sectors * 512)) $parts \
	-b $((16 * 16)) "$log" /dev/mapper/blank "$scratch"
