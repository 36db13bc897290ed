#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# After the host was booted, in order or after a crash, a disk that somebody
# wrote to before its domain was started is sent whole, and one that nobody
# wrote to is not.
# disks: 64M 1G
# timeout: 600
. "$TOP/tests/vm/lib.sh"
. "$TOP/tests/vm/lib-backup.sh"
. "$TOP/tests/vm/lib-meta.sh"

# The disk is an LV: what was written to it counts from its activation on.
activate() {
	dmsetup create lv --uuid LVM-lv \
		--table "0 $(blockdev --getsz "$pv") linear $pv 0"
}

# boot_host: with the domain stopped, as far as anybody can tell.
boot_host() {
	dmsetup remove --retry lv
	cat /proc/sys/kernel/random/uuid >boot_id
	activate
}

# crash_host: what was known while the domain ran is known afterwards.
crash_host() {
	lose_power
	boot_host
}

make_host
pv=$block block=/dev/mapper/lv
activate
cleanup_fn dm_remove lv
cat /proc/sys/kernel/random/uuid >boot_id
mount --bind boot_id /proc/sys/kernel/random/boot_id
cleanup_fn umount /proc/sys/kernel/random/boot_id
make_domain web1
find_places
scribble web1 20
backup web1 "$repository" --no-freeze
expect_equal "$status" 0

dummy_write web1 1 1M 4k 0x11
stop
boot_host
virsh -q start web1
expect_incremental

stop
boot_host
dd if=/dev/urandom of="$block" bs=4k seek=99 count=1 conv=fsync status=none
virsh -q start web1
expect_full vdb

dummy_write web1 1 2M 4k 0x22
crash_host
virsh -q start web1
expect_equal "$(status_of vdb state)" recovered
expect_incremental

# Repaired after the crash: one disk in place, the other by a copy.
crash_host
dd if=/dev/urandom of="$block" bs=4k seek=98 count=1 conv=fsync status=none
cp "$PWD/host/web1.raw" "$PWD/host/copy.raw"
dd if=/dev/urandom of="$PWD/host/copy.raw" bs=4k seek=77 count=1 \
	conv=fsync,notrunc status=none
mv "$PWD/host/copy.raw" "$PWD/host/web1.raw"
virsh -q start web1
expect_full vda vdb
