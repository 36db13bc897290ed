#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# A backup goes on incrementally after the domain was stopped, after its QEMU
# was killed, after a power cut of the host, and after a volume has grown, by what
# changed and little more.
# disks: 96M 1G
# timeout: 600
. "$TOP/tests/vm/lib.sh"
. "$TOP/tests/vm/lib-backup.sh"
. "$TOP/tests/vm/lib-meta.sh"

make_host
volume=$block
block=/dev/mapper/volume
dm_create volume "0 $((64 * 2048)) linear $volume 0"
make_domain web1
find_places
for disk in vda vdb; do
	expect_equal "$(stat -c %a "$state_dir/meta/$disk")" 600
	expect_equal "$(status_of $disk metadata)" "$state_dir/meta/$disk"
	# Not sparse
	read -r blocks size < <(stat -c '%b %s' "$state_dir/meta/$disk")
	[ $((blocks * 512)) -ge "$size" ] || fail "$disk: $blocks of $size"
done
scribble web1 40
backup web1 "$repository" --no-freeze
expect_equal "$status" 0

# A stop
dummy_write web1 0 1M 4k 0x11
stop
virsh -q start web1
expect_equal "$(status_of vda state)" clean
dummy_write web1 1 2M 12k 0x22
expect_incremental
expect_equal "$(report '.disks | map(.blocks) | join(" ")')" '1 3'

# QEMU is killed.
dummy_write web1 0 3M 8k 0x33
kill -KILL "$(cat /run/libvirt/qemu/web1.pid)"
wait_until 30 no_devices
virsh -q start web1
expect_incremental
expect_equal "$(report '.disks | map(.blocks) | join(" ")')" '2 0'

# A power cut: what is on disk at an instant when nothing is written is put
# back after the domain went on and was stopped.
on_disk() {
	echo "$PWD/host/web1.raw $block $state_dir/meta/vda
		$state_dir/meta/vdb $state_dir/trust/vda $state_dir/trust/vdb"
}
dummy_write web1 0 5M 4k 0x44
dummy_write web1 1 6M 4k 0x55
for file in $(on_disk); do
	dummy_io web1 0 flush >/dev/null
	mkdir -p "cut/${file%/*}"
	dd if="$file" of="cut/$file" bs=1M status=none
done
dummy_write web1 0 7M 64k 0x66
stop
for file in $(on_disk); do
	dd if="cut/$file" of="$file" bs=1M conv=notrunc,fsync status=none
	[ -b "$file" ] || truncate -s "$(stat -c %s "cut/$file")" "$file"
done
virsh -q start web1
dsync-vm status web1
expect_equal "$(status_of vda state) $(status_of vdb state)" \
	'recovered recovered'
[ "$(status_of vda suspect_bytes)" -le 2097152 ]
expect_incremental
[ "$(report .disks[0].blocks)" -le 512 ] || fail 'far too many blocks'
expect_equal "$(status_of vda state)" clean
expect_incremental
expect_equal "$(report '.disks | map(.blocks) | add')" 0
expect_clean web1

# The volume has grown: what is new counts as changed.
stop
dmsetup load volume --table "0 $((96 * 2048)) linear $volume 0"
dmsetup resume volume
virsh -q start web1
dummy_write web1 1 80M 4k 0x77
expect_incremental
expect_equal "$(report .disks[1].blocks)" 8192

# Another tracker, though its record is there
stop
dd if=/dev/zero of="$state_dir/meta/vda" bs=1M count=1 conv=notrunc status=none
virsh -q start web1
expect_full vda
expect_incremental
