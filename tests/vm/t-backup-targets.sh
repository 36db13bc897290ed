#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Several targets with schedules of their own each get every change, though
# the tracker has one set of changes only.
# disks: 64M 1G
. "$TOP/tests/vm/lib.sh"
. "$TOP/tests/vm/lib-backup.sh"

make_host
make_domain web1
mkdir host/weekly
scribble web1 30
for target in "$repository" "$PWD/host/weekly"; do
	backup web1 "$target" --no-freeze
	expect_equal "$status" 0
done
for round in 1 2 3 4; do
	scribble web1 10
	target=$repository
	[ $((RANDOM % 3)) != 0 ] || target=$PWD/host/weekly
	backup web1 "$target" --no-freeze
	expect_equal "$status" 0
	keep web1 was
	(repository=$target && expect_point web1 "$(report .point)" was)
done
repository=$PWD/host/weekly
backup web1 "$repository" --no-freeze
expect_equal "$status" 0
expect_equal "$(report '.disks | map(.full) | unique | .[]')" false
expect_point web1 "$(report .point)" was
echo "after $round rounds"
