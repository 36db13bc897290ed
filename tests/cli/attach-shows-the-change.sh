#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
#
# attach --dry-run shows, as a diff of the definition, exactly what attach would
# change, and changes nothing. libvirt's test driver, no root.
. "$(dirname "$0")/lib.sh"
. "$tests/test-node.sh"

truncate -s 1M a.raw b.raw
make_node "$(make_domain web "$(make_disk a.raw vda)$(make_disk b.raw vdb)")"

expect 0 "$DSYNC_VM" attach -c "$node" --dry-run web
cat out err
grep -q '^-    <disk type="file" device="disk">' out
grep -q "^-      <source file=\"$work/a.raw\"/>" out
grep -q '^+    <disk type="block" device="disk">' out
grep -q '^+      <source dev="/dev/mapper/dsync-web-vdb"/>' out
grep -q '^+    <dsync:domain xmlns:dsync="urn:dsync-vm:1">' out
[ "$(grep -c '^-[^-]' out)" = 4 ] || failed "more is changed than two disks"

expect 0 "$DSYNC_VM" attach -c "$node" --dry-run --disk vdb web
if grep -q dsync-web-vda out; then
	failed "a disk that was not asked for"
fi

# Without the option it would change a libvirt that is not there any more.
expect 0 "$DSYNC_VM" attach -c "$node" --dry-run --output json web
grep -q '"changed": *false' out

# A domain that took over the name of a renamed one gets devices by its uuid.
make_node "$(make_domain renamed "<disk type='block' device='disk'>
	<driver type='raw'/><source dev='/dev/mapper/dsync-web-vda'/>
	<target dev='vda'/></disk>")" "$(make_domain web "$(make_disk a.raw vda)")"
expect 0 "$DSYNC_VM" attach -c "$node" --dry-run web
grep -q "/dev/mapper/dsync-$(virsh -q -c "$node" domuuid web)-vda" out

# Only what was asked for is worth a warning.
make_node "$(make_domain mixed "$(make_disk a.raw vda)$(make_disk b.raw vdb qcow2)")"
expect 3 "$DSYNC_VM" attach -c "$node" --dry-run mixed
grep -q 'warning: vdb: left out: not raw' err
expect 0 "$DSYNC_VM" attach -c "$node" --dry-run --disk vda mixed
