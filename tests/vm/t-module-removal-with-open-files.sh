#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Open files in /proc keep neither the device nor the module from going.
# timeout: 240
. "$TOP/tests/vm/lib.sh"
. "$TOP/tests/vm/lib-module.sh"
declare data # by data_device

data_device data 256M
track t "$data"
exec 3</proc/dsync/t/dirty 4</proc/dsync/t/bitmap 5</proc/dsync/t/frozen \
	6>/proc/dsync/t/seed
head -c 100 <&3 >/dev/null
head -c 100 <&4 >/dev/null
printf '\1' >&6
dead() {
	for fd in 3 4 5; do
		! timeout 10 head -c 1 <&$fd >/dev/null 2>&1 ||
			fail "read from the dead: $fd"
	done
	! printf '\1' 2>/dev/null >&6 || fail 'wrote to the dead'
}
timeout 20 dmsetup remove t
[ ! -e /proc/dsync/t ] || fail 'the files are left'
dead
rmmod dm-dsync
dead
exec 3<&- 4<&- 5<&- 6>&-

# And while readers and writers are busy
for round in 1 2 3 4 5 6; do
	track t "$data"
	for file in dirty bitmap frozen; do
		(cat /proc/dsync/t/$file >/dev/null 2>&1 || :) &
		(cat /proc/dsync/t/$file >/dev/null 2>&1 || :) &
	done
	(head -c 8192 /dev/urandom >/proc/dsync/t/seed 2>/dev/null || :) &
	(dmsetup status t >/dev/null 2>&1 || :) &
	sleep 0.0$round
	timeout 20 dmsetup remove t
	rmmod dm-dsync
	wait
done
[ ! -e /proc/dsync ] || fail '/proc/dsync is left'
