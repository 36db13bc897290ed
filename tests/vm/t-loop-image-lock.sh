#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# A raw file in use through our loop device is as closed to QEMU as if a QEMU
# had it, and one that a QEMU has is closed to us; the loop device does direct
# I/O and goes with its last user.
# disks: 64M
# timeout: 600
. "$TOP/tests/vm/lib.sh"
. "$TOP/tests/vm/lib-attach.sh"

requires qemu-io qemu-img
mkfs.ext4 -q "$DISKS"
mkdir fs
mount "$DISKS" fs
cleanup_fn umount fs
start_libvirtd
truncate -s 16M fs/a.raw
define_dummy web "$PWD/fs/a.raw"
dsync-vm attach web

virsh -q start web
loop=$(losetup -n -O NAME -j "$PWD/fs/a.raw")
expect_equal "$(losetup -n -O AUTOCLEAR,DIO "$loop" | xargs)" '1 1'
expect_exit 1 qemu-io -f raw -c 'write 0 4k' fs/a.raw 2>err
grep -q 'lock' err
expect_exit 1 qemu-img convert -O raw fs/a.raw copy.raw 2>err
grep -q 'lock' err
qemu-img info -U fs/a.raw
virsh -q destroy web
expect_no_devices
qemu-io -f raw -c 'write 0 4k' fs/a.raw

# The other way round.
mkfifo commands
qemu-io -f raw fs/a.raw <commands >/dev/null &
exec {commands}>commands
wait_until 20 grep -q "OFDLCK.*:$(stat -c %i fs/a.raw) " /proc/locks
expect_exit 1 virsh start web 2>err
cat err
grep -q 'in use by a QEMU' err
expect_no_devices
exec {commands}>&-
wait
virsh -q start web

# A plain loop device of somebody else.
virsh -q destroy web
other=
loop_device other fs/a.raw
expect_exit 1 virsh start web 2>err
grep -q "$other is on it already" err
