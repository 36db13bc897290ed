#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# A backup that cannot be right is refused with one line and an exit code of
# its own, and nothing is changed.
# disks: 64M 1G
. "$TOP/tests/vm/lib.sh"
. "$TOP/tests/vm/lib-backup.sh"

refused() { # EXIT-CODE TEXT NAME TARGET
	backup "$3" "$4" --no-freeze
	expect_equal "$status" "$1" "$(cat report.err)"
	expect_equal "$(wc -l <report.err)" 1 'lines of error'
	grep -q "$2" report.err || fail "does not say '$2'"
	expect_equal "$(report .exit_code)" "$1"
}

make_host
refused 1 nobody nobody "$repository"

qemu-img create -q -f qcow2 host/q.qcow2 64M
define_dummy qcow "$PWD/host/q.qcow2"
virsh -q dumpxml qcow | sed "s/type='raw'/type='qcow2'/" >q.xml
virsh -q define q.xml
refused 8 'not raw' qcow "$repository"

truncate -s 64M host/plain.raw
define_dummy plain "$PWD/host/plain.raw"
refused 1 'dsync-vm attach plain' plain "$repository"

make_domain web1
refused 1 mounted web1 "$PWD/host/missing"
mkdir host/photos
touch host/photos/cat.jpeg
refused 1 'not a repository' web1 "$PWD/host/photos"
expect_equal "$(ls host/photos)" cat.jpeg
expect_equal "$(ls "$repository")" '' 'made in the repository'

# The path of a repository with an empty directory in its place.
backup web1 "$repository" --no-freeze
expect_equal "$status" 0
mv "$repository" "$repository.away"
mkdir "$repository"
refused 6 'is it mounted' web1 "$repository"
rmdir "$repository"
mv "$repository.away" "$repository"

# Another domain that took over the name.
virsh -q destroy web1
dsync-vm detach -q web1
virsh -q undefine web1
make_domain web1
refused 6 'another domain' web1 "$repository"
