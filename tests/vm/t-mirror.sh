#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# A mirror in a repository has one point: each pass takes the place of the one
# before, and of nothing else.
# disks: 64M 1G
. "$TOP/tests/vm/lib.sh"
. "$TOP/tests/vm/lib-backup.sh"
. "$TOP/tests/vm/lib-ssh.sh"

points() {
	dsync-vm list web1 "$repository" --output json |
		jq -r '.domains[0].points[].point'
}

# expect_passes COUNT DIR: so many points, of which the newest is what is kept.
expect_passes() {
	expect_equal "$(points | wc -l)" "$1"
	expect_point web1 "$(points | tail -n 1)" "$2"
	for disk in vda vdb; do
		expect_equal "$(find "$repository/web1/disks/$disk" -name '*.qcow2' |
			wc -l)" "$1"
	done
}

mirror() {
	dsync-vm mirror web1 "ssh://$far/" "$@"
}

make_host
start_sshd
repository=$PWD/host/far
make_domain web1
scribble web1 40

for _ in 1 2 3; do
	keep web1 was
	mirror --once >out
	cat out
	grep -q "pass 1 at $(points)" out
	expect_passes 1 was
	scribble web1 10
done

# A backup among them stays, and is what it was.
keep web1 backup
backup web1 "ssh://$far/" --no-freeze
expect_equal "$status" 0
backup=$(report .point)
expect_passes 1 backup
for _ in 1 2; do
	scribble web1 10
	keep web1 was
	mirror --once --output json >pass.json
	jq -e '.passes == 1 and .behind_bytes == 0' pass.json
	expect_passes 2 was
	expect_point web1 "$backup" backup
done

# Near enough is enough.
scribble web1 40
keep web1 was
mirror --until-below 64K --interval 1h
expect_passes 2 was
expect_point web1 "$backup" backup
expect_clean web1

# Of a domain that does not run all is there after a pass.
virsh -q destroy web1
timeout 300 dsync-vm mirror web1 "ssh://$far/" --until-below 64K --interval 1h
expect_passes 2 was
