#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Whatever is written meanwhile, a hold reads as the disk was at the cut.
# timeout: 240
# disks: 64M 64M 64M
#
# SEED=N repeats a run as far as the scheduler lets it.
. "$TOP/tests/vm/lib.sh"
. "$TOP/tests/vm/lib-module.sh"

SEED=${SEED:-$((RANDOM << 15 | RANDOM))}
RANDOM=$SEED
echo "seed $SEED"
stomp=$(program stomp) hold=$(program hold)
read -r data meta cow <<<"$DISKS"

# 40 MiB and a bit: the last block is short.
size=$((40 << 20 | 1536))
sectors=$((size / 512))
dev=/dev/mapper/t

# Random pages of the seed: single blocks, and a stretch
write_seed() {
	head -c $((size / 4096 / 8 + 1)) /dev/zero >seed
	local i
	for i in $(seq 40); do
		printf '\x1' | dd of=seed bs=1 seek=$((RANDOM % 1280)) \
			conv=notrunc status=none
	done
	head -c 64 /dev/zero | tr '\0' '\377' |
		dd of=seed bs=1 seek=$((RANDOM % 1200)) conv=notrunc status=none
	cat seed >/proc/dsync/t/seed
}

# The cut, with a copy of the disk
cut_with_copy() {
	timeout 60 dmsetup suspend t
	dmsetup message t 0 epoch_begin "$(id "$1")"
	dd if="$data" of=image bs=1M count=41 iflag=direct status=none
	truncate -s $size image
	timeout 60 dmsetup resume t
}

# round N: write, cut, read while it is written to, end
round() {
	write_seed
	dmsetup create h --readonly --table "0 $sectors dsync-hold $dev $cow"
	expect_equal "$(value t hold)" ready
	"$stomp" write -s $RANDOM -t 3 $dev touched >stomp.log 2>&1 &
	stomper=$!
	sleep 0.$((RANDOM % 10))
	cut_with_copy "$1"
	expect_equal "$(value t hold)" armed
	"$hold" -s $RANDOM -t 2 -n 600 -d 1000 ${2-} \
		/dev/mapper/h image /proc/dsync/t/frozen seed ||
		fail "$(dmsetup status)"
	dmsetup status
	expect_equal "$(value t hold)" armed
	kill $stomper
	wait $stomper || fail "$(cat stomp.log)"
	if [ $((RANDOM % 2)) = 0 ]; then
		dmsetup message t 0 epoch_end "$(id "$1")"
	else
		dmsetup message t 0 epoch_abort "$(id "$1")"
	fi
	expect_equal "$(value t hold)" none
	dm_remove h
}

cleanup_fn dm_remove h
epoch=0
for where in - "$meta"; do
	dm_create t "0 $sectors dsync $data $where 8"
	# So that what follows starts clean
	cut_at t $((++epoch))
	dmsetup message t 0 epoch_end "$(id $epoch)"
	for _ in 1 2 3; do
		round $((++epoch))
		round $((++epoch)) '-r t'
	done
	dm_remove t
done
