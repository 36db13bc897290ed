#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# A stopped domain is backed up through devices of the backup's own, which are
# gone afterwards, also if the backup is killed, and nothing is forgotten.
# disks: 64M 1G
. "$TOP/tests/vm/lib.sh"
. "$TOP/tests/vm/lib-backup.sh"

no_devices() {
	! dmsetup ls | grep -q dsync-web1 && ! losetup -l | grep -q web1.raw
}

make_host
make_domain web1
scribble web1 40
keep web1 was
virsh -q destroy web1
wait_until 10 no_devices

backup web1 "$repository"
expect_equal "$status" 0
expect_equal "$(report .consistency)" offline
no_devices || fail 'devices were left behind'
expect_point web1 "$(report .point)" was

# To a second target, as it has much to send.
mkdir host/second
dsync-vm backup web1 "$PWD/host/second" -q &
pid=$!
wait_until 30 pgrep -x qemu-nbd >/dev/null
kill -KILL $pid
wait $pid || :
wait_until 20 no_devices
backup web1 "$repository"
expect_equal "$status" 0 'tracking went on'
expect_equal "$(report '.disks | map(.blocks) | add')" 0 'nothing changed'
expect_point web1 "$(report .point)" was

# The domain starts while it is backed up, and keeps its devices. The point is
# what it was before.
can_stand
touch standing/next
while_standing 'virsh -q start web1; dummy_write web1 0 0 8M 0x54' &
writer=$!
backup web1 "$PWD/host/second"
wait $writer
expect_equal "$status" 0
expect_equal "$(report .consistency)" offline
repository=$PWD/host/second expect_point web1 "$(report .point)" was
dummy_write web1 0 1M 64k 0x55
backup web1 "$repository" --no-freeze
keep web1 was
expect_point web1 "$(report .point)" was
