#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# With metadata, a device goes on after a removal, and after a crash with no
# more than the active regions added.
# timeout: 180
# disks: 512M 512M 64M 64M
. "$TOP/tests/vm/lib.sh"
. "$TOP/tests/vm/lib-module.sh"

read -r data data2 meta copy <<<"$DISKS"
dev=/dev/mapper/t

# A blank one is formatted: everything is dirty.
track_on t "$data" "$meta"
expect_equal "$(state t) $(epoch t) $(dirty t) $(suspect t)" 'clean - 131072 0'
dmsetup status t
cut_at t 1
dmsetup message t 0 epoch_end "$(id 1)"
expect_equal "$(state t) $(epoch t) $(dirty t)" "clean $(id 1) 0"

# A clean removal keeps exactly what was written.
write_at $dev 8 8
write_at $dev 524280 2056
dm_remove t
track_on t "$data" "$meta"
dmsetup status t
expect_equal "$(state t) $(epoch t)" "clean $(id 1)"
expect_equal "$(blocks t)" '1 65535-65791'

# A crash adds the regions that are active.
dmsetup message t 0 flush
write_at $dev 4096 8
crash_copy "$meta" "$copy"
expect_equal "$(blocks t)" '1 512 65535-65791'
track_on u "$data2" "$copy"
dmsetup status u
expect_equal "$(state u) $(epoch u) $(suspect u)" "recovered $(id 1) 256"
expect_equal "$(blocks u)" '1 512-767 65535-65791'
expect_equal "$(value u uuid)" "$(value t uuid)"
dm_remove u

# Nothing is active any more after a flush.
dmsetup message t 0 flush
crash_copy "$meta" "$copy"
track_on u "$data2" "$copy"
expect_equal "$(blocks u)" '1 512 65535-65791'
dm_remove u

# An epoch that is open in a crash counts as aborted.
cut_at t 2
write_at $dev 80 8
expect_equal "$(blocks t)" 10
crash_copy "$meta" "$copy"
track_on u "$data2" "$copy"
dmsetup status u
expect_equal "$(state u) $(epoch u) $(value u open)" "recovered $(id 1) -"
expect_equal "$(blocks u)" '0-255 512 65535-65791'
expect_equal "$(message u epoch_end "$(id 2)")" 'Stale file handle'
expect_equal "$(message u epoch_abort "$(id 2)")" ''
dmsetup message u 0 flush
cut_at u 3
dmsetup message u 0 epoch_end "$(id 3)"
expect_equal "$(state u) $(dirty u) $(suspect u)" 'clean 0 0'
dm_remove u
track_on u "$data2" "$copy"
expect_equal "$(state u) $(epoch u) $(dirty u)" "clean $(id 3) 0"
dm_remove u

# An abort, too.
dmsetup message t 0 epoch_abort "$(id 2)"
expect_equal "$(epoch t) $(blocks t)" "$(id 1) 1 10 512 65535-65791"
dmsetup message t 0 flush
crash_copy "$meta" "$copy"
track_on u "$data2" "$copy"
expect_equal "$(epoch u) $(blocks u)" "$(id 1) 1 10 512 65535-65791"
dm_remove u
dm_remove t
track_on t "$data" "$meta"
expect_equal "$(state t) $(epoch t) $(blocks t)" \
	"clean $(id 1) 1 10 512 65535-65791"

# A reload goes on, too, and so does a larger device.
dmsetup reload t --table "0 $(sectors "$data") dsync $data $meta 8"
dmsetup resume t
expect_equal "$(state t) $(blocks t)" 'clean 1 10 512 65535-65791'
dm_remove t
dm_create t "0 800000 dsync $data $meta 8"
expect_equal "$(state t) $(dirty t)" 'lost 100000'
cut_at t 4
dmsetup message t 0 epoch_end "$(id 4)"
write_at $dev 0 8
dmsetup reload t --table "0 1048576 dsync $data $meta 8"
dmsetup resume t
expect_equal "$(state t) $(epoch t) $(blocks t)" \
	"clean $(id 4) 0 100000-131071"
write_at $dev 1048568 8
dmsetup message t 0 flush
crash_copy "$meta" "$copy"
track_on u "$data2" "$copy"
expect_equal "$(state u) $(epoch u) $(blocks u)" \
	"recovered $(id 4) 0 100000-131071"
dm_remove u

# A run with something else in its place: nothing is believed.
dmsetup reload t --table "0 1048576 linear $data 0"
dmsetup resume t
dmsetup reload t --table "0 1048576 dsync $data $meta 8"
dmsetup resume t
expect_equal "$(state t) $(dirty t)" 'lost 131072'
