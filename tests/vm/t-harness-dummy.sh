#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# A domain without a system starts, and a test writes to its disks as a guest
# would.
# timeout: 300
# disks: 64M
. "$TOP/tests/vm/lib.sh"

start_libvirtd
truncate -s 64M disk.raw
define_dummy idle "$PWD/disk.raw" "${DISKS%% *}"
virsh -q start idle
expect_equal "$(virsh -q domstate idle)" running

for index in 0 1; do
	dummy_write idle $index 1M 64k 0xab
done
dummy_io idle 1 'flush' >/dev/null
tr '\0' '\253' </dev/zero | head -c 65536 >expected || :
for disk in disk.raw $DISKS; do
	cmp -n 65536 --ignore-initial=1M:0 "$disk" expected
done
