#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# A new table takes over what the live one knows, also when the device grows.
# timeout: 180
# disks: 64M
. "$TOP/tests/vm/lib.sh"
. "$TOP/tests/vm/lib-module.sh"

data=${DISKS%% *}
dev=/dev/mapper/t

reload() {
	dmsetup reload t --table "0 $1 dsync $data - ${2:-8}" &&
		dmsetup resume t
}

# refused TEXT LENGTH [BLOCK_SECTORS]
refused() {
	dmesg --clear
	! reload "$2" "${3-}" 2>/dev/null || fail "took over: $*"
	dmesg | grep -qF "$1" || fail "$(dmesg)"
}

# Dirty, frozen, seed and ids all move along.
dm_create t "0 65530 dsync $data - 8"
cut_at t 1
dmsetup message t 0 epoch_end "$(id 1)"
write_at $dev 8 8
cut_at t 2
write_at $dev 16 8
reload 65530
reload 65530
expect_equal "$(blocks t)" 2
expect_equal "$(bits /proc/dsync/t/frozen)" 1
expect_equal "$(epoch t) $(value t open)" "$(id 2) $(id 2)"
write_at $dev 24 8

# No resizing during an epoch; other blocks never
refused 'during an epoch' 131072
refused 'BLOCK_SECTORS differs' 65530 16
dmsetup message t 0 epoch_abort "$(id 2)"
expect_equal "$(epoch t)" "$(id 1)"
refused 'BLOCK_SECTORS differs' 65530 16

# Loading alone, dropping what was loaded, and asking it: nothing happens.
dmsetup reload t --table "0 65530 dsync $data - 8"
dmsetup status --inactive t >/dev/null
write_at $dev 32 8
dmsetup clear t
expect_equal "$(blocks t)" 1-4

# Grown: what is new is dirty, from the block on that was short.
reload 131072
expect_equal "$(state t)" clean
expect_equal "$(blocks t)" '1-4 8191-16383'
expect_equal "$(epoch t)" "$(id 1)"
expect_equal "$(wc -c </proc/dsync/t/bitmap)" 2048
write_at $dev 131064 8
cut_at t 3
expect_equal "$(frozen t)" $((4 + 8193))
dmsetup message t 0 epoch_end "$(id 3)"

# Shrunk: lost, until an epoch has gone through
reload 65536
expect_equal "$(state t) $(epoch t) $(dirty t)" 'lost - 8192'
cut_at t 4
expect_equal "$(state t)" lost
dmsetup message t 0 epoch_end "$(id 4)"
expect_equal "$(state t)" clean

# A time with another target in between is a time without tracking.
write_at $dev 0 8
expect_equal "$(dirty t)" 1
dmsetup reload t --table "0 65536 linear $data 0"
dmsetup resume t
[ ! -e /proc/dsync/t ] || fail '/proc/dsync/t is left'
write_at $dev 8 8
reload 65536 64
expect_equal "$(state t) $(epoch t) $(dirty t)" 'clean - 1024'
dm_remove t

# Under load: a table a moment, and every write is there.
stomp=$(program stomp)
track t "$data"
clear t
"$stomp" write -t 3 $dev touched >seed &
stomper=$!
for _ in 1 2 3 4 5 6 7 8 9 10; do
	reload 131072
	sleep 0.1
done
kill $stomper
wait $stomper
cat seed
expect_equal "$(bits /proc/dsync/t/bitmap)" \
	"$(head -c 2048 touched >same && bits same)"
