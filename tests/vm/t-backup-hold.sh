#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# A point is the disks at one instant, whatever is written while they are sent.
# If more is than there is room for, another cut is taken, and if that leaves no
# less to send the backup fails and says how to help; the guest never waits, and nothing is
# left behind.
# disks: 64M 1G 64M
# timeout: 900
. "$TOP/tests/vm/lib.sh"
. "$TOP/tests/vm/lib-backup.sh"

conf=/etc/dsync-vm/dsync-vm.conf
cleanup_fn rm -f $conf

# backup_beside COMMAND...: see while_standing.
backup_beside() {
	touch standing/next
	while_standing "$@" &
	local writer=$!
	backup web1 "$repository" --no-freeze
	wait $writer
	expect_clean web1
	[ ! -e "/var/lib/dsync-vm/$uuid/hold/vda.store" ] ||
		fail 'the file of a hold was left behind'
}

held() {
	report '.disks | map(.held_bytes) | add'
}

store=${DISKS##* }
DISKS=${DISKS% *}
make_host
make_domain web1
can_stand
uuid=$(virsh -q domuuid web1)
scribble web1 40

# A full backup.
keep web1 was
backup_beside 'scribble web1 60'
expect_equal "$status" 0
expect_point web1 "$(report .point)" was
[ "$(held)" -gt 0 ] || fail 'nothing was written while it was sent'

# What was written meanwhile is in the next one.
keep web1 was
backup web1 "$repository" --no-freeze
expect_equal "$status" 0
expect_equal "$(held)" 0
expect_point web1 "$(report .point)" was

# What has been kept needs no more room, and what was sent needs none, however
# often it is written to.
dummy_write web1 0 8M 2M 0x11
dummy_write web1 1 16M 1M 0x12
keep web1 was
backup_beside 'dummy_write web1 0 8M 2M 0x21; dummy_write web1 1 0 32M 0x22' \
	'dummy_write web1 0 0 32M 0x23; dummy_write web1 1 0 32M 0x24'
expect_equal "$status" 0
expect_equal "$(report '.disks | map(.full) | unique | .[]')" false
expect_point web1 "$(report .point)" was
expect_equal "$(held)" $((3 << 20))

# Too little room, once: the point is at the second cut.
mkdir -p /etc/dsync-vm
printf '[hold]\nlimit = 64K\n' >$conf
backup_beside 'dummy_write web1 1 0 32M 0x31'
expect_equal "$status" 0
grep -q '64.0 KiB that its hold has room for.*\[hold\]' report.err
grep -q 'going on with a new cut' report.err
keep web1 was
expect_point web1 "$(report .point)" was

# And twice.
last=$(report .point)
dummy_write web1 0 0 4M 0x41
backup_beside 'dummy_write web1 0 0 4M 0x42' 'dummy_write web1 0 0 4M 0x43'
expect_equal "$status" 1
grep -q '64.0 KiB that its hold has room for' report.err
expect_equal "$(dsync-vm list web1 "$repository" --output json |
	jq -r '.domains[0].points[-1].point')" "$last"

# What failed for another reason is said, and not tried again.
dummy_write web1 0 0 16M 0x44
dummy_write web1 1 0 16M 0x45
room=$(($(stat -f -c '%f * %S' host)))
until fallocate -l $room host/filler 2>/dev/null; do
	room=$((room - (1 << 20)))
done
truncate -s -8M host/filler
backup_beside 'dummy_write web1 1 0 16M 0x46'
rm host/filler
expect_equal "$status" 1
grep -qi 'no space' report.err
[ "$(wc -l <report.err)" = 1 ] || fail 'it says more'

# All of them together leave half of what is free.
rooms() {
	losetup -n -O NAME,BACK-FILE | awk '/\.store/ { print $1 }' |
		xargs -n 1 blockdev --getsize64 >rooms
}
rm $conf
mount -t tmpfs -o size=40M tmpfs "/var/lib/dsync-vm/$uuid/hold"
cleanup_fn eval "! mountpoint -q /var/lib/dsync-vm/$uuid/hold ||
	umount /var/lib/dsync-vm/$uuid/hold"
backup_beside rooms
umount "/var/lib/dsync-vm/$uuid/hold"
expect_equal "$status" 0
expect_equal "$(wc -l <rooms)" 2
[ "$(($(paste -s -d + rooms)))" -le $((20 << 20)) ] ||
	fail "takes more than half of 40 MiB: $(<rooms)"

# A device for it, which must be blank when it is seen first.
printf '[hold]\nweb1/vda = %s\nlimit = 64K\n' "$store" >$conf
dd if=/dev/urandom of="$store" bs=4k count=1 status=none
backup web1 "$repository" --no-freeze
expect_equal "$status" 1
grep -q 'zero its first MiB' report.err
dd if=/dev/zero of="$store" bs=4k count=1 status=none
dummy_write web1 0 0 4M 0x43
for round in 1 2; do
	keep web1 was
	backup_beside "dummy_write web1 0 0 4M 0x5$round"
	expect_equal "$status" 0
	expect_point web1 "$(report .point)" was
	expect_equal "$(held)" $((4 << 20))
done

# And each time: it may be somebody else's by now.
dd if=/dev/urandom of=precious bs=1M count=4 status=none
dd if=precious of="$store" bs=1M conv=fsync status=none
dummy_write web1 0 0 4M 0x61
backup web1 "$repository" --no-freeze
expect_equal "$status" 1
cmp precious <(head -c 4M "$store") || fail 'it was overwritten'
dd if=/dev/zero of="$store" bs=1M count=1 conv=fsync status=none

# Unless it could not be made so.
touch standing/next
dsync-vm backup web1 "$repository" --no-freeze -q &
tool=$!
wait_until 100 stands
dummy_write web1 0 0 4M 0x62
kill -KILL "$(pgrep -f 'dsync-vm watchdog')" $tool
wait $tool || :
kill -KILL "$(<standing/server)" 2>/dev/null || : # by itself
rm standing/server
dmsetup remove --retry dsync-web1-vda-hold
! cmp -s -n 1M "$store" /dev/zero || fail 'it is blank'
keep web1 was
backup web1 "$repository" --no-freeze
expect_equal "$status" 0
expect_point web1 "$(report .point)" was
cmp -n 1M "$store" /dev/zero
