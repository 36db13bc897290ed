#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Where it is not known what changed, all of a disk is compared with the sums
# of what the target has, and only what differs is sent; what was written anew
# with the same content is not sent at all; what verify found damaged is.
# disks: 64M 1G
. "$TOP/tests/vm/lib.sh"
. "$TOP/tests/vm/lib-backup.sh"

sent() {
	report '.disks | map(.sent_bytes) | add'
}

expect_verified() {
	expect_exit 0 dsync-vm verify -q web1 "$repository" --all
}

make_host
make_domain web1
scribble web1 40
dummy_write web1 0 1M 64k 0x11
backup web1 "$repository" --no-freeze
expect_equal "$status" 0
first=$(report .point)
keep web1 was/first
expect_verified

# --- equal content is not sent ------------------------------------------------
dummy_write web1 0 1M 64k 0x11
dummy_write web1 1 5M 4k 0x12
backup web1 "$repository" --no-freeze
expect_equal "$status" 0
expect_equal "$(report '.disks[0].blocks')" 16
expect_equal "$(report '.disks[0].equal_bytes')" 65536
expect_equal "$(sent)" 4096

# --- no record of what is pending: exit 4, what differs is sent -----------------
dummy_write web1 0 2M 8k 0x13
dummy_write web1 1 7M 4k 0x14
rm -r "/var/lib/dsync-vm/$(virsh -q domuuid web1)/pending"
backup web1 "$repository" --no-freeze
expect_equal "$status" 4
grep -q 'comparing all of it' report.err || fail 'it does not say what it does'
expect_equal "$(report '.disks | map(.full) | unique | .[]')" true
[ "$(sent)" -le 12288 ] || fail "sent $(sent)"
keep web1 was/resynced
expect_point web1 "$(report .point)" was/resynced
expect_verified

# --- damage heals in the newest point, though nothing was written ---------------
image=$repository/web1/disks/vda/$first.qcow2
chmod u+w "$image"
qemu-io -f qcow2 -c 'write -P 0x77 1M 12k' "$image" >/dev/null
expect_exit 7 dsync-vm verify web1 "$repository" --all
backup web1 "$repository" --no-freeze
expect_equal "$status" 0
expect_equal "$(sent)" 12288
expect_point web1 "$(report .point)" was/resynced
expect_exit 0 dsync-vm verify -q web1 "$repository"
expect_exit 7 dsync-vm verify -q web1 "$repository" "$first"
backup web1 "$repository" --no-freeze
expect_equal "$(sent)" 0 'healed once'
expect_clean web1
