#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Attach changes the type and source of raw disks only, and detach gives back
# the very definition that was there before, whatever the sources looked like.
# disks: 32M
# timeout: 600
. "$TOP/tests/vm/lib.sh"
. "$TOP/tests/vm/lib-attach.sh"

start_libvirtd
truncate -s 16M 'a & b.raw' volume.raw
qemu-img create -q -f qcow2 c.qcow2 16M
virsh -q pool-create-as here dir --target "$PWD"
cleanup_fn virsh -q pool-destroy here

define_dummy web "$PWD/volume.raw" "$DISKS"
add_disk() {
	echo "$1" >disk.xml
	virsh -q attach-device web disk.xml --config
}
add_disk "<disk type='file' device='disk'>
	<driver name='qemu' type='raw' cache='none' io='native'/>
	<source file='$PWD/a &amp; b.raw' startupPolicy='optional'>
	<seclabel model='dac' relabel='no'/></source>
	<target dev='vdc' bus='virtio'/><serial>a_b</serial></disk>"
truncate -s 16M pooled.raw
virsh -q pool-refresh here
add_disk "<disk type='volume' device='disk'>
	<driver name='qemu' type='raw'/>
	<source pool='here' volume='pooled.raw'/>
	<target dev='vdd' bus='virtio'/></disk>"
add_disk "<disk type='file' device='disk'>
	<driver name='qemu' type='qcow2'/><source file='$PWD/c.qcow2'/>
	<target dev='vde' bus='virtio'/></disk>"
add_disk "<disk type='file' device='cdrom'><target dev='hdc' bus='ide'/>
	<readonly/></disk>"
virsh -q metadata web --config --uri urn:other --key o --set '<kept a="1"/>'
next_xml web >before.xml

# Shows, and does nothing.
dsync-vm attach --dry-run web >changes.diff 2>err || :
cat err changes.diff
grep -q '^+ *<source dev="/dev/mapper/dsync-web-vda"/>' changes.diff
grep -q "^- *<source file=\"$PWD/volume.raw\"/>" changes.diff
next_xml web | cmp - before.xml

# The qcow2 disk is left out, which is worth a warning.
expect_exit 3 dsync-vm attach web
for disk in vda vdb vdc vdd; do
	expect_equal "$(source_of web $disk)" "/dev/mapper/dsync-web-$disk"
done
expect_equal "$(source_of web vde)" "$PWD/c.qcow2"
next_xml web >attached.xml
grep -q "path='$PWD/pooled.raw'\|path=\"$PWD/pooled.raw\"" attached.xml
uuid=$(virsh -q domuuid web)
expect_equal "$(stat -c %a "/var/lib/dsync-vm/$uuid/original.xml")" 600

# It starts on them, and a stop leaves nothing.
virsh -q start web
for disk in vda vdb vdc vdd; do
	expect_equal "$(target_of dsync-web-$disk)" dsync
done
virsh -q destroy web
expect_no_devices

dsync-vm detach web
next_xml web | diff - before.xml
[ ! -e "/var/lib/dsync-vm/$uuid/original.xml" ]

# Metadata that a tool dropped is taken from the copy, by detach and the hook.
expect_exit 3 dsync-vm attach -q web
virsh -q metadata web --config --uri urn:dsync-vm:1 --remove
virsh -q start web
expect_equal "$(target_of dsync-web-vdd)" dsync
virsh -q destroy web
expect_no_devices
dsync-vm detach web
next_xml web | diff - before.xml

# One disk, then another.
dsync-vm attach --disk vdb web
dsync-vm attach --disk vda --output json web >report.json
jq -e '.ok and .changed and (.disks | map(select(.action == "already"))
	| map(.disk) == ["vdb"])' report.json
dsync-vm detach web
next_xml web | diff - before.xml
