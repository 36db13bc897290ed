#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Random writes, cuts, aborts and reloads: every change is in the frozen set.
# timeout: 240
# disks: 64M
#
# SEED=N repeats a run as far as the scheduler lets it.
. "$TOP/tests/vm/lib.sh"
. "$TOP/tests/vm/lib-module.sh"

SEED=${SEED:-$((RANDOM << 15 | RANDOM))}
RANDOM=$SEED
echo "seed $SEED"
stomp=$(program stomp)

# 48 MiB and a bit, behind something else in the table
size=$((48 << 20 | 1536))
start=$((77 * 512))
data=${DISKS%% *}
table() {
	printf '%s\n' "0 77 linear $data 130900" \
		"77 $((size / 512)) dsync $data - 8"
}
dm_create t "$(table)"
proc=/proc/dsync/t

message_ok() {
	timeout 20 dmsetup message t 77 "$@"
}

# copy FILE: what is on the data device itself
copy() {
	dd if="$data" of="$1" bs=1M count=49 iflag=direct status=none
	truncate -s $size "$1"
}

# stomp_in_background OPTION...
stomp_in_background() {
	: >touched
	"$stomp" write -s "$RANDOM" "$@" -o $start -l $size \
		/dev/mapper/t touched >stomp.log 2>&1 &
	stomper=$!
}

# The cut, with copies of what it must be true of
cut_with_copy() {
	timeout 60 dmsetup suspend t
	message_ok epoch_begin "$(id "$1")"
	copy after
	cp touched touched-now
	timeout 60 dmsetup resume t
}

reload() {
	table >loaded
	dmsetup reload t loaded
	timeout 60 dmsetup resume t
}

# A first epoch, so that what follows starts clean
epoch=1
copy before
dmsetup suspend t
message_ok epoch_begin "$(id 1)"
dmsetup resume t
message_ok epoch_end "$(id 1)"

# Nobody writes during the cut: frozen is exactly what was touched.
for _ in 1 2 3; do
	stomp_in_background -n 250 -t 2
	wait $stomper
	cut_with_copy $((++epoch))
	"$stomp" check -x before after $proc/frozen touched-now
	message_ok epoch_end "$(id $epoch)"
	mv after before
done

# Writers all the time; the frozen sets of aborted epochs come back.
stomp_in_background -t 3
for _ in $(seq 8); do
	cut_with_copy $((++epoch))
	"$stomp" check before after $proc/frozen touched-now
	case $((RANDOM % 4)) in
	0)
		message_ok epoch_abort "$(id $epoch)"
		;;
	1)
		reload
		"$stomp" check before after $proc/frozen touched-now
		message_ok epoch_abort "$(id $epoch)"
		;;
	*)
		message_ok epoch_end "$(id $epoch)"
		mv after before
		;;
	esac
	[ $((RANDOM % 3)) = 0 ] || reload
	dmsetup status t >/dev/null
	cat $proc/dirty >/dev/null
done
kill $stomper
wait $stomper || fail "$(cat stomp.log)"
cut_with_copy $((++epoch))
"$stomp" check before after $proc/frozen touched-now
