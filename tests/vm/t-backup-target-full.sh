#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# A target that is full fails the backup and nothing else: earlier points stay,
# and with room again the next backup is right.
# long
# disks: 64M 1G
. "$TOP/tests/vm/lib.sh"
. "$TOP/tests/vm/lib-backup.sh"

make_host
mkdir small
mount -t tmpfs -o size=40M tmpfs small
cleanup_fn umount small
mkdir small/repository
repository=$PWD/small/repository
make_domain web1

dummy_write web1 0 0 8M 0x11
backup web1 "$repository" --no-freeze
expect_equal "$status" 0
first=$(report .point)
keep web1 was/first

dummy_write web1 1 0 48M 0x22
for try in 1 2; do
	backup web1 "$repository" --no-freeze
	expect_equal "$status" 1
	grep -qi 'no space' report.err || fail 'does not say why'
	expect_clean web1
	expect_point web1 "$first" was/first
	dummy_write web1 0 $((try * 4))M 64k 0x33
done

mount -o remount,size=400M small
dummy_write web1 0 60M 64k 0x44
backup web1 "$repository" --no-freeze
expect_equal "$status" 0
keep web1 was/second
expect_point web1 "$(report .point)" was/second
expect_point web1 "$first" was/first
