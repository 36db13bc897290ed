#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Several devices, not at sector 0 of their tables, are cut at one instant.
# timeout: 240
. "$TOP/tests/vm/lib.sh"
. "$TOP/tests/vm/lib-module.sh"
declare data # by data_device

names='a b c'
for name in $names; do
	data_device data 8M
	printf '%s\n' "0 1000 linear $data 0" \
		"1000 8192 dsync $data - 8" >table
	dm_create "$name" "$(cat table)"
	dmsetup suspend "$name"
	echo >/proc/dsync/"$name"/dirty
	dmsetup resume "$name"
done

# status NAME: the second line is ours
ours() {
	dmsetup status "$1" | sed -n 2p | cut -d ' ' -f "$2"
}

# Block 0 is where the target starts; what lies before is not ours.
write_at /dev/mapper/a 0 1000
expect_equal "$(blocks a)" ''
write_at /dev/mapper/a 999 2
expect_equal "$(blocks a)" 0
write_at /dev/mapper/b 1008 8
expect_equal "$(blocks b)" 1
blkdiscard -o $((500 * 512)) -l 4M /dev/mapper/c
expect_equal "$(blocks c)" 0-961

# Messages go to all while all are suspended.
for name in $names; do
	dmsetup suspend "$name"
done
for name in $names; do
	expect_equal "$(ours "$name" 1)" 1000
	timeout 10 dmsetup message "$name" 1000 flush
	timeout 10 dmsetup message "$name" 1000 epoch_begin "$(id 1)"
	timeout 10 cat /proc/dsync/"$name"/frozen >frozen-"$name"
done
for name in $names; do
	expect_equal "$(dmsetup status "$name" | sed -n 2p | grep -o 'suspends [0-9]*')" \
		'suspends 2'
	dmsetup resume "$name"
done
expect_equal "$(bits frozen-a)" 0
expect_equal "$(bits frozen-b)" 1
expect_equal "$(bits frozen-c)" 0-961

# And in a suspended device an epoch also ends and is aborted.
dmsetup suspend a
dmsetup suspend b
timeout 10 dmsetup message a 1000 epoch_end "$(id 1)"
timeout 10 dmsetup message b 1000 epoch_abort "$(id 1)"
dmsetup resume a
dmsetup resume b
expect_equal "$(blocks a)" ''
expect_equal "$(blocks b)" 1
expect_equal "$(ours a 7)" "$(id 1)"
expect_equal "$(ours b 7)" -
