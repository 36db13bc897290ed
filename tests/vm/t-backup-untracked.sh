#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Without the module a domain starts all the same, untracked, and the next
# backups say so and send everything; tracked again, the first one says why
# it is full.
# disks: 64M 1G
. "$TOP/tests/vm/lib.sh"
. "$TOP/tests/vm/lib-backup.sh"

make_host
make_domain web1
scribble web1 30
backup web1 "$repository" --no-freeze
expect_equal "$status" 0
virsh -q destroy web1
wait_until 10 not dmsetup info dsync-web1-vda &>/dev/null

hide_module
virsh -q start web1
dmsetup table dsync-web1-vda | grep -q linear
expect_equal "$(dsync-vm status web1 --output json |
	jq -r '.disks[0].state')" untracked
scribble web1 10
for try in 1 2; do
	backup web1 "$repository" --no-freeze
	expect_equal "$status" 4 "try $try"
	grep -q module report.err
	keep web1 was
	expect_point web1 "$(report .point)" was
done
virsh -q destroy web1
wait_until 10 not dmsetup info dsync-web1-vda &>/dev/null

show_module
virsh -q start web1
scribble web1 10
backup web1 "$repository" --no-freeze
expect_equal "$status" 4
keep web1 was
expect_point web1 "$(report .point)" was
backup web1 "$repository" --no-freeze
expect_equal "$status" 0

# Also if no backup was taken meanwhile: what was known before is not believed.
stop_web1() {
	virsh -q destroy web1
	wait_until 10 not dmsetup info dsync-web1-vda &>/dev/null
}
stop_web1
hide_module
virsh -q start web1
scribble web1 10
stop_web1
show_module
virsh -q start web1
backup web1 "$repository" --no-freeze
expect_equal "$status" 4
keep web1 was
expect_point web1 "$(report .point)" was
