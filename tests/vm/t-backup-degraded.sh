#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# While the metadata device fails, backups are as good as any, say so and exit
# with 3; when it works again all is as before, but if the domain stops before
# that, nothing is believed of what is on it.
# disks: 64M 1G 64M
. "$TOP/tests/vm/lib.sh"
. "$TOP/tests/vm/lib-backup.sh"
. "$TOP/tests/vm/lib-meta.sh"

sectors=$((64 * 2048))
works() {
	dmsetup load meta --table "0 $sectors linear $meta_disk 0"
	dmsetup resume --noflush --nolockfs meta
}

fails() {
	dmsetup load meta --table "0 $sectors error"
	dmsetup resume --noflush --nolockfs meta
}

state_is() {
	[ "$(status_of vda state)" = "$1" ]
}

meta_disk=${DISKS##* }
DISKS=${DISKS% *}
make_host
dm_create meta "0 $sectors linear $meta_disk 0"
mkdir -p /etc/dsync-vm
cleanup_fn rm -f /etc/dsync-vm/dsync-vm.conf
echo "[metadata]
web1/vda = /dev/mapper/meta" >/etc/dsync-vm/dsync-vm.conf
make_domain web1
find_places
scribble web1 30
backup web1 "$repository" --no-freeze
expect_equal "$status" 0

fails
scribble web1 30
wait_until 60 state_is degraded
for round in 1 2; do
	keep web1 was
	backup web1 "$repository" --no-freeze
	expect_equal "$status" 3
	grep -q 'vda: degraded' report.err
	expect_equal "$(report '.disks | map(.full) | unique | .[]')" false
	expect_point web1 "$(report .point)" was
	dummy_write web1 0 ${round}M 64k 0x1$round
done

works
wait_until 60 not state_is degraded
expect_incremental
expect_equal "$(report .disks[0].blocks)" 16

# The domain goes before it works again.
fails
scribble web1 30
wait_until 60 state_is degraded
stop
works
virsh -q start web1
expect_full vda
expect_incremental
