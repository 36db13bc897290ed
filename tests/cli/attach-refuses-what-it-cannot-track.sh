#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
#
# What cannot be attached is refused in one line that says why and what to do,
# with the exit code of its kind. libvirt's test driver, no root.
. "$(dirname "$0")/lib.sh"
. "$tests/test-node.sh"

truncate -s 1M a.raw
truncate -s 1000001 odd.raw
ln -s a.raw link.raw
make_node "$(make_domain web "$(make_disk a.raw vda)")" \
	"$(make_domain cow "$(make_disk a.raw vda qcow2)")" \
	"$(make_domain odd "$(make_disk odd.raw vda)")" \
	"$(make_domain twin "$(make_disk link.raw vda)")" \
	"$(make_domain gone "$(make_disk gone.raw vda)")" \
	"$(make_domain bare '')" \
	"$(make_domain two "$(make_disk a2.raw vda)$(make_disk a2.raw vdb)")" \
	"$(make_domain ours "<disk type='block' device='disk'>
		<driver type='raw'/><source dev='/dev/mapper/dsync-ours-vda'/>
		<target dev='vda'/></disk>")"
truncate -s 1M a2.raw

attach()
{
	code=$1
	shift
	expect "$code" "$DSYNC_VM" attach -c "$node" --dry-run "$@"
}

attach 1 nobody
says "nobody: no such domain; 'virsh list --all' shows them"
attach 8 cow
says "not raw: only raw disks are tracked; convert it with 'qemu-img convert"
attach 8 odd
says "is not a multiple of 512; round it up with 'truncate"
attach 8 gone
says 'gone.raw: No such file or directory'
attach 8 web
says 'is a disk of domain '
attach 8 two
says 'is its disk vdb, too'
attach 8 bare
says 'it has no disks'
attach 8 ours
says "'dsync-vm detach' restores it"
attach 1 --disk vdz web
says "it has no disk 'vdz'"
attach 2
expect 1 "$DSYNC_VM" attach -c "qemu+unix:///system?socket=$work/no" web
says "$work/no"
expect 1 "$DSYNC_VM" detach -c "$node" --dry-run web
says 'not attached'
expect 5 "$DSYNC_VM" detach -c "$node" --dry-run ours
says 'it is running on dsync-ours-vda; shut it down first'
