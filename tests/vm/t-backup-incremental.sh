#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# An incremental backup of a running domain sends what was changed on all its
# disks and no more, and every point stays what the disks were.
# disks: 64M 1G
. "$TOP/tests/vm/lib.sh"
. "$TOP/tests/vm/lib-backup.sh"

make_host
make_domain web1
scribble web1 40
backup web1 "$repository"
expect_equal "$status" 3 'no agent: a warning'
expect_equal "$(report '.disks | map(.full) | unique | .[]')" true
first=$(report .point)
keep web1 was/first

dummy_write web1 0 1M 4k 0x11
dummy_write web1 1 2M 12k 0x22
dummy_io web1 1 'write -z 3M 1M' >/dev/null
backup web1 "$repository" --no-freeze
expect_equal "$status" 0 'asked not to freeze: no warning'
expect_equal "$(report '.disks[0].blocks')" 1
expect_equal "$(report '.disks[1].blocks')" $((3 + 256))
expect_equal "$(report '.disks | map(.sent_bytes) | add')" 16384
second=$(report .point)
keep web1 was/second

backup web1 "$repository" --no-freeze
expect_equal "$(report '.disks | map(.blocks) | add')" 0 'nothing changed'

for round in 1 2 3; do
	scribble web1 30
	backup web1 "$repository" --no-freeze
	expect_equal "$status" 0
	keep web1 was/$round
	expect_point web1 "$(report .point)" was/$round
done
expect_point web1 "$first" was/first
expect_point web1 "$second" was/second
expect_exit 0 dsync-vm verify -q web1 "$repository" --all
expect_clean web1
