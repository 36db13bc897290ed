#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Metadata is on the device that the configuration names, else in a file; where
# neither can be had a domain starts all the same, and status says so.
# disks: 64M 1G
# timeout: 600
. "$TOP/tests/vm/lib.sh"
. "$TOP/tests/vm/lib-backup.sh"
. "$TOP/tests/vm/lib-meta.sh"

modprobe loop
make_host
truncate -s 64M "$PWD/host/web1.raw"
define_dummy web1 "$PWD/host/web1.raw" "$block"
find_places
dsync-vm attach -q web1
cleanup_fn destroy_quietly web1

# No room for a file
mkdir -p "$state_dir"
mount -t tmpfs -o size=256k tmpfs "$state_dir"
cleanup_fn eval "! mountpoint -q $state_dir || umount $state_dir"
virsh -q start web1
dsync-vm status web1 | tee status
grep -q 'in memory only' status
expect_equal "$(status_of vda metadata)" null
expect_equal "$(status_of vda state)" clean
stop
expect_equal "$(find "$state_dir/meta" -name '*.tmp')" '' 'left over'
umount "$state_dir"

# A device
meta=''
loop_device meta meta.img 2M
mkdir -p /etc/dsync-vm
cleanup_fn rm -f /etc/dsync-vm/dsync-vm.conf
cat >/etc/dsync-vm/dsync-vm.conf <<-END
	# metadata of web1
	[metadata]
	web1/vda = $meta
END
virsh -q start web1
expect_equal "$(status_of vda metadata)" "$meta"
expect_equal "$(status_of vdb metadata)" "$state_dir/meta/vdb"
scribble web1 20
backup web1 "$repository" --no-freeze
expect_equal "$status" 0
stop
virsh -q start web1
expect_incremental

# In another place, with older metadata in the first one
stop
rm /etc/dsync-vm/dsync-vm.conf
virsh -q start web1
expect_full vda
dummy_write web1 0 1M 4k 0x21
stop
echo "[metadata]
web1/vda = $meta" >/etc/dsync-vm/dsync-vm.conf
virsh -q start web1
expect_full vda
expect_incremental

# Something else is on it: left alone, and the domain starts.
stop
rm -r "$state_dir/trust"
mkfs.ext4 -q "$meta" 1M
sum=$(sha256sum <"$meta")
virsh -q start web1
expect_equal "$(status_of vda metadata)" null
expect_equal "$(sha256sum <"$meta")" "$sum" 'it was written to'
stop

# What nobody understands
echo '[metadata]
web1/vda' >/etc/dsync-vm/dsync-vm.conf
virsh -q start web1
expect_equal "$(status_of vda metadata)" null
