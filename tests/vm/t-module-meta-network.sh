#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# META_DEV may be a loop device with direct I/O on a network file system, which
# takes and drops references to each page of a transfer: what is written there
# is what is read, and no page is freed meanwhile.
# timeout: 120
# disks: 512M
. "$TOP/tests/vm/lib.sh"
. "$TOP/tests/vm/lib-module.sh"

modprobe loop
# The machine's only one. (No other knows direct I/O, and needs no server.)
share=/run/vm
grep -q "^log $share 9p " /proc/mounts
file=$share/meta-network
cleanup_fn rm -f $file
dd if=/dev/zero of=$file bs=1M count=4 status=none
meta=$(losetup --find --show --direct-io=on $file)
cleanup_fn losetup --detach "$meta"
expect_equal "$(losetup -n -O DIO "$meta" | xargs)" 1

track_on t "$DISKS" "$meta" 8
cut_at t 1
expect_equal "$(message t epoch_end "$(id 1)")" ''
for round in 1 2 3 4 5; do
	for mib in 0 1 2 130 131 260 390 511; do
		write_at /dev/mapper/t $((mib * 2048 + round * 8)) 8
	done
	expect_equal "$(message t flush)" ''
	expect_equal "$(value t metadata_failures)" 0
done
blocks t >was
dmsetup remove t
track_on t "$DISKS" "$meta" 8
expect_equal "$(state t)" clean
blocks t >is
cmp was is
