#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# A copy that is kept by extract and merge is the disk as it was at the cut,
# whatever is written meanwhile; blocks are forgotten by --done alone, and neither
# backups, broken pipes nor kills lose any, here or for another target.
# disks: 64M 1G
. "$TOP/tests/vm/lib.sh"
. "$TOP/tests/vm/lib-backup.sh"

# merged: from web1's vda into host/copy; its report is in report.json.
merged() {
	dsync-vm extract -q dsync-web1-vda |
		dsync-vm merge -q --force --output json host/copy >report.json
}

expect_copy() { # DIR
	cmp host/copy "$1/vda" || fail "the copy is not $1"
}

make_host
make_domain web1
mkdir -p /etc/dsync-vm
cleanup_fn rm -f /etc/dsync-vm/dsync-vm.conf
printf '[backup]\nfreeze = no\n' >/etc/dsync-vm/dsync-vm.conf
scribble web1 40

# All of it, into a new file, while there is written to the disk; twice, as
# nobody said that it had arrived.
keep web1 was
mkfifo pipe
dsync-vm extract -q dsync-web1-vda >pipe &
exec 5<pipe
dd bs=1000 count=1 iflag=fullblock status=none <&5 >stream
scribble web1 40
cat <&5 >>stream
wait $!
dsync-vm merge -q host/copy <stream >id
expect_copy was
merged
expect_equal "$(report .whole_disk)" true 'nobody said that it had arrived'
keep web1 now
expect_copy now
expect_exit 6 dsync-vm extract --done="$(cat id)" dsync-web1-vda
dsync-vm extract --done="$(report .id)" dsync-web1-vda
dsync-vm extract --done="$(report .id)" dsync-web1-vda

# Now what changed, and no more.
merged
expect_equal "$(report .data_bytes)" 0
dummy_write web1 0 1M 8k 0x11
merged
expect_equal "$(report .data_bytes)" 8192
dsync-vm extract --done="$(report .id)" dsync-web1-vda

# A backup takes a cut, before and after the stream's.
dummy_write web1 0 2M 8k 0x22
backup web1 "$repository"
expect_equal "$status" 0
dummy_write web1 0 3M 4k 0x33
merged
expect_equal "$(report .data_bytes)" 12288 'a backup takes nothing away'
dummy_write web1 0 4M 4k 0x44
backup web1 "$repository"
expect_equal "$status" 0
expect_equal "$(report '.disks[0].blocks')" 2 'nor does a stream'
keep web1 now
expect_point web1 "$(report .point)" now
merged
expect_equal "$(report .data_bytes)" 16384
expect_copy now

# Broken off, and killed.
dummy_write web1 0 8M 1M 0x55
dsync-vm extract -q dsync-web1-vda | head -c 1000 >stream || :
expect_exit 1 dsync-vm merge -q host/copy <stream
dsync-vm extract -q dsync-web1-vda >pipe &
exec 5<pipe
dd bs=1000 count=1 iflag=fullblock status=none <&5 >stream
kill -KILL $!
wait $! || :
exec 5<&-
keep web1 now
merged
expect_copy now
dsync-vm extract --done="$(report .id)" dsync-web1-vda
backup web1 "$repository"
expect_equal "$status" 0
expect_point web1 "$(report .point)" now
expect_clean web1

# Of a stopped domain; into a block device that somebody uses.
virsh -q destroy web1
merged
expect_equal "$(report .data_bytes)" 0
loop=$(losetup -f --show host/copy)
cleanup_fn losetup -d "$loop"
mkfs.ext4 -q "$loop"
mkdir mounted
mount "$loop" mounted
cleanup_fn umount mounted
expect_exit 5 bash -c "dsync-vm extract -q --all dsync-web1-vda |
	dsync-vm merge -q --force $loop"
