#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Whatever is written meanwhile, a hold reads as the disk was at the cut.
# long
# timeout: 240
# disks: 64M 64M 64M
#
# SEED=N repeats a run as far as the scheduler lets it.
. "$TOP/tests/vm/lib.sh"
. "$TOP/tests/vm/lib-module.sh"
. "$TOP/tests/vm/lib-hold.sh"

SEED=${SEED:-$((RANDOM << 15 | RANDOM))}
RANDOM=$SEED
echo "seed $SEED"
read -r data meta cow <<<"$DISKS"

# 40 MiB and a bit: the last block is short.
size=$((40 << 20 | 1536))

# Single blocks, and a stretch
write_seed() {
	head -c $((size / 4096 / 8 + 1)) /dev/zero >seed
	local i
	for i in $(seq 20); do
		printf '\x1' | dd of=seed bs=1 seek=$((RANDOM % 1280)) \
			conv=notrunc status=none
	done
	head -c 64 /dev/zero | tr '\0' '\377' |
		dd of=seed bs=1 seek=$((RANDOM % 1200)) conv=notrunc status=none
	cat seed >/proc/dsync/t/seed
}

# stomp OPTION...: until the round ends
stompers=()
stomp() {
	"$stomp" write -s "$RANDOM" "$@" /dev/mapper/t \
		"touched-${#stompers[@]}" >>stomp.log 2>&1 &
	stompers+=($!)
	cleanup_fn end_process $!
}

# End the stompers: nobody else writes.
calm() {
	local pid
	for pid in "${stompers[@]}"; do
		kill "$pid"
		wait "$pid" || fail "$(cat stomp.log)"
	done
	stompers=()
}

# round N stomp|calm OPTION...: write, cut, read while it is written to, end
round() {
	local epoch=$1 what=$2
	shift 2
	write_seed
	make_hold h t "$cow"
	expect_equal "$(value t hold)" ready
	# Parts of the disk before the cut, all of it after
	stompers=()
	stomp -t 2 -o $((RANDOM % 2000 * 4096)) -l $((8 << 20))
	stomp -o $((size - 8192 - 1536)) -l $((8192 + 1536))
	sleep 0.$((RANDOM % 10))
	cut_with_image t "$epoch" /dev/mapper/d image
	if [ "$what" = calm ]; then calm; else stomp -t 2; fi
	expect_equal "$(value t hold)" armed
	"$hold" -s "$RANDOM" -t 2 -n 400 -d 1000 "$@" \
		/dev/mapper/h image /proc/dsync/t/frozen seed ||
		fail "$(dmsetup status)"
	dmsetup status
	expect_equal "$(value t hold)" armed
	[ "$what" = calm ] || [ "$(value t hold_copies)" -gt 0 ] ||
		fail 'nothing was copied'
	calm
	if [ $((RANDOM % 2)) = 0 ]; then
		end t "$epoch"
	else
		dmsetup message t 0 epoch_abort "$(id "$epoch")"
	fi
	expect_equal "$(value t hold)" none
	dm_remove h
}

# Reads take their time, so that writes overtake them: what a read returns is
# looked at when it has been overtaken.
dm_create d "0 $((size / 512)) delay $data 0 20 $data 0 0"
epoch=0
for metadata in '- 8' "$meta 8 2 active_regions 8"; do
	# With few active regions most writes wait for their intents first.
	dm_create t "0 $((size / 512)) dsync /dev/mapper/d $metadata"
	# So that what follows starts clean
	cut_at t $((++epoch))
	end t $epoch
	round $((++epoch)) stomp
	# What is released is overwritten at once, but by nobody else: few blocks
	# are copied.
	round $((++epoch)) calm -r t
	round $((++epoch)) stomp -r t
	dm_remove t
done
