#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# A hold that cannot protect what it should is lost, and the guest goes on.
# timeout: 180
# disks: 64M 64M
#
# SEED=N repeats a run as far as the scheduler lets it.
. "$TOP/tests/vm/lib.sh"
. "$TOP/tests/vm/lib-module.sh"
. "$TOP/tests/vm/lib-hold.sh"

SEED=${SEED:-$((RANDOM << 15 | RANDOM))}
RANDOM=$SEED
echo "seed $SEED"
read -r data cow <<<"$DISKS"
timeout_ms=1500
blocks=4096
sectors=$((blocks * 8))

# Reads take their time, so that writes overtake them.
dm_create d "0 $sectors delay $data 0 20 $data 0 0"
dm_create t "0 $sectors dsync /dev/mapper/d - 8 2 hold_timeout_ms $timeout_ms"
epoch=0

invalid() {
	[ "$(value t hold)" = invalid ]
}

# overflow TABLE: of the store, which fails at some point
overflow() {
	local stomper
	dm_create c "$1"
	make_hold h t /dev/mapper/c
	"$stomp" write -s "$RANDOM" -t 6 /dev/mapper/t touched >stomp.log 2>&1 &
	stomper=$!
	cleanup_fn end_process $stomper
	cut_with_image t $((++epoch)) /dev/mapper/d image
	# What it does read before it fails is right.
	"$hold" -e -s "$RANDOM" -t 4 -n 300 -d 3000 /dev/mapper/h image \
		/proc/dsync/t/frozen
	wait_until 60 invalid
	dmsetup status
	kill $stomper
	wait $stomper || fail "$(cat stomp.log)"
	! reads_at /dev/mapper/h 0 || fail 'an invalid hold was read'
	expect_equal "$(message t release 0 1)" 'No data available'
	end t $epoch
	expect_equal "$(value t hold)" none
	dm_remove h
	dm_remove c
}

# Everything is held, so that there is much to copy.
hold_all() {
	head -c $((blocks / 8)) /dev/zero | tr '\0' '\377' >/proc/dsync/t/seed
}

# full
hold_all
overflow "0 $((RANDOM % 4000 + 8)) linear $cow 0"
# cannot be written to
at=$((RANDOM % 4000 + 8))
hold_all
overflow "0 $at linear $cow 0
$at 60000 error"

# The next one is right.
make_hold h t "$cow"
hold_all
"$stomp" write -s "$RANDOM" -t 2 /dev/mapper/t touched >stomp.log 2>&1 &
stomper=$!
cleanup_fn end_process $stomper
cut_with_image t $((++epoch)) /dev/mapper/d image
head -c $((blocks / 8)) /dev/zero | tr '\0' '\377' >all
"$hold" -s "$RANDOM" -n 200 /dev/mapper/h image all
kill $stomper
wait $stomper || fail "$(cat stomp.log)"
expect_equal "$(value t hold)" armed
end t $epoch
dm_remove h

# A store that hangs for good: a write goes on after the timeout, and then none
# waits any more.
dm_create c "0 60000 linear $cow 0"
make_hold h t /dev/mapper/c
hold_all
cut_with_image t $((++epoch)) /dev/mapper/d image
write_at /dev/mapper/t 0 8
expect_equal "$(value t hold_copies) $(value t hold)" '1 armed'
cleanup_fn unhang c
dmsetup suspend c
ms=$(milliseconds write_at /dev/mapper/t 8 8)
echo "waited $ms ms"
[ "$ms" -ge $((timeout_ms - 100)) ] || fail 'it did not wait for the copy'
expect_equal "$(value t hold)" invalid
delayed() {
	dmsetup status h | sed 's/.*writes_delayed \([0-9]*\).*/\1/'
}
was=$(delayed)
write_at /dev/mapper/t 16 8
expect_equal "$(delayed)" "$was" 'writes that wait for an invalid hold'
! reads_at /dev/mapper/h 100 || fail 'an invalid hold was read'
end t $epoch
# Its removal waits for the copy; nothing else does.
dmsetup remove --retry h &
remover=$!
cut_at t $((++epoch))
write_at /dev/mapper/t 24 8
expect_equal "$(dmsetup create x --table "0 $sectors dsync-hold /dev/mapper/t \
/dev/mapper/c" 2>&1 | grep -o 'Device or resource busy')" \
	'Device or resource busy'
end t $epoch
dmsetup resume c
wait $remover
dm_remove c

# Blocks that cannot be read: the error is that of the disk, not ours.
make_hold h t "$cow"
hold_all
cut_at t $((++epoch))
dmsetup suspend d
dmsetup reload d --table "0 $sectors error"
dmsetup resume d
! write_at /dev/mapper/t 8 8 2>/dev/null || fail 'no error'
expect_equal "$(value t hold)" invalid
dmsetup suspend d
dmsetup reload d --table "0 $sectors linear $data 0"
dmsetup resume d
write_at /dev/mapper/t 8 8
end t $epoch
