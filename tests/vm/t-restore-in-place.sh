#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# A stopped domain's disks are brought back in place: they are the point, only
# what differed was written, and the next backup knows of it. A domain that
# runs, or that is another one, is refused, and none can be started meanwhile.
# disks: 64M 1G
# timeout: 600
. "$TOP/tests/vm/lib.sh"
. "$TOP/tests/vm/lib-backup.sh"

# restore [OPTION]...: as backup.
restore() {
	dsync-vm restore --output json --in-place "$@" \
		>report.json 2>report.err && status=0 || status=$?
	cat report.err
}

says() {
	grep -qF -e "$1" report.err || fail "no '$1' in: $(cat report.err)"
}

# expect_disks DIR: the stopped domain's own files are the disks kept in DIR.
expect_disks() {
	cmp host/web1.raw "$1/vda"
	cmp "$block" "$1/vdb"
}

no_devices() {
	! dmsetup ls | grep -q dsync-web1 && ! losetup -l | grep -q web1.raw
}

stop() {
	virsh -q destroy web1
	wait_until 10 no_devices
}

make_host
make_domain web1
scribble web1 40
backup web1 "$repository" --no-freeze
expect_equal "$status" 0
first=$(report .point)
keep web1 was/first
scribble web1 30
dummy_write web1 0 62M 8k 0x31
backup web1 "$repository" --no-freeze
second=$(report .point)
keep web1 was/second

# --- not while it runs, is paused, or has its state saved -----------------------
restore web1 "$repository"
expect_equal "$status" 5
says 'is running; shut it down first'
virsh -q suspend web1
restore web1 "$repository"
expect_equal "$status" 5
says 'is paused'
virsh -q resume web1
virsh -q managedsave web1
restore web1 "$repository"
expect_equal "$status" 8
says managedsave-remove
virsh -q managedsave-remove web1
wait_until 10 no_devices
expect_disks was/second

# --- nothing to do: nothing is written ------------------------------------------
restore web1 "$repository"
expect_equal "$status" 0
expect_equal "$(report '.disks | map(.differing_bytes, .sent_bytes) | add')" 0
no_devices || fail 'devices were left behind'

# --- what differs, and no more --------------------------------------------------
virsh -q start web1
dummy_write web1 0 62M 8k 0x32
dummy_write web1 1 3M 4k 0x33
stop
restore web1 "$repository" latest
expect_equal "$status" 0
expect_equal "$(report '.disks[0].differing_bytes')" 8192
expect_equal "$(report '.disks[1].differing_bytes')" 4096
expect_equal "$(report '.disks | map(.sent_bytes + .zero_bytes) | add')" 12288
expect_disks was/second

# An older point; the next backup is incremental, and right.
restore web1 "$repository" "$first"
expect_equal "$status" 0
expect_disks was/first
[ "$(report '.disks | map(.differing_bytes) | add')" -gt 8192 ]
backup web1 "$repository"
expect_equal "$status" 0 'tracking went on'
[ "$(report '.disks | map(.blocks) | add')" -lt 16384 ] || fail 'all was sent'
expect_point web1 "$(report .point)" was/first
expect_point web1 "$second" was/second
expect_exit 0 dsync-vm verify -q web1 "$repository"

# One disk only.
restore web1 "$repository" "$second" --disk vdb
expect_equal "$status" 0
cmp host/web1.raw was/first/vda
cmp "$block" was/second/vdb

# Sums that are missing: what they were about is written.
mv "$repository"/web1/disks/vda/"$first".sums kept.sums
restore web1 "$repository" "$second"
expect_equal "$status" 0
expect_disks was/second
mv kept.sums "$repository"/web1/disks/vda/"$first".sums

# --- nobody starts it meanwhile -------------------------------------------------
can_stand
touch standing/next
while_standing 'virsh -q start web1 2>start.err || :' &
watcher=$!
restore web1 "$repository" "$first"
wait $watcher
expect_equal "$status" 0
grep -q 'its disks are being restored in place' start.err ||
	fail "it was started: $(cat start.err)"
expect_disks was/first
virsh -q start web1
dummy_write web1 0 0 8k 0x34
backup web1 "$repository" --no-freeze
expect_equal "$status" 0
keep web1 was/now
expect_point web1 "$(report .point)" was/now
stop

# --- disks of other sizes, another domain, another name --------------------------
truncate -s 65M host/web1.raw
restore web1 "$repository" "$first"
expect_equal "$status" 1
says 'vda has 68157440 bytes, and had 67108864 at that point'
truncate -s 64M host/web1.raw
virsh -q domrename web1 web2
cleanup_fn undefine web2
restore web1 "$repository" "$first"
expect_equal "$status" 0 'found by its uuid'
expect_disks was/first
truncate -s 1M other.raw
define_dummy web1 "$PWD/other.raw"
restore web1 "$repository" "$first"
expect_equal "$status" 6
says 'is another domain than the one of that point'
virsh -q undefine web1
virsh -q undefine web2
restore web1 "$repository" "$first"
expect_equal "$status" 1
says 'no such domain here; --define'
define_dummy web1 "$PWD/other.raw"
expect_clean_host() { no_devices || fail 'devices were left behind'; }
expect_clean_host
