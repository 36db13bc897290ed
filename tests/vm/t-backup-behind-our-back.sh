#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Whoever writes to a disk without the tracker is noticed when it is built
# again: while the domain was stopped, or by a start on the disks themselves.
# disks: 64M 1G
# timeout: 600
. "$TOP/tests/vm/lib.sh"
. "$TOP/tests/vm/lib-backup.sh"
. "$TOP/tests/vm/lib-meta.sh"

requires qemu-io
make_host
truncate -s 64M "$PWD/host/web1.raw"
define_dummy web1 "$PWD/host/web1.raw" "$block"
virsh -q dumpxml web1 >original.xml
dsync-vm attach -q web1
virsh -q dumpxml web1 >attached.xml
find_places
virsh -q start web1
cleanup_fn destroy_quietly web1
scribble web1 20
backup web1 "$repository" --no-freeze
expect_equal "$status" 0

# A file
stop
qemu-io -f raw -c 'write -P 0x77 9M 4k' "$PWD/host/web1.raw" >/dev/null
virsh -q start web1
expect_full vda

# A device
stop
dd if=/dev/urandom of="$block" bs=4k seek=99 count=1 conv=fsync status=none
virsh -q start web1
expect_full vdb

# A device that does not count
stop
echo 0 >"/sys/block/${block##*/}/queue/iostats"
dd if=/dev/urandom of="$block" bs=4k seek=98 count=1 conv=fsync status=none
virsh -q start web1
expect_full vdb
stop
virsh -q start web1
expect_full vdb
echo 1 >"/sys/block/${block##*/}/queue/iostats"
stop
virsh -q start web1
expect_incremental

# Reading is no change.
stop
cat "$PWD/host/web1.raw" "$block" >/dev/null
backup web1 "$repository"
expect_equal "$status" 0
virsh -q start web1
expect_incremental

# The domain runs on its own disks for a while.
stop
virsh -q define original.xml
virsh -q start web1
dummy_write web1 0 11M 4k 0x12
dummy_write web1 1 12M 4k 0x13
virsh -q destroy web1
virsh -q define attached.xml
virsh -q start web1
expect_full vda vdb

# With one of them.
stop
sed "s|/dev/mapper/dsync-web1-vdb|$block|" attached.xml >half.xml
virsh -q define half.xml
virsh -q start web1
dummy_write web1 1 13M 4k 0x14
virsh -q destroy web1
virsh -q define attached.xml
virsh -q start web1
expect_full vdb
expect_incremental

# Given back and attached again.
stop
dsync-vm detach -q web1
[ ! -e "$state_dir/meta" ] || fail 'metadata was left behind'
dsync-vm attach -q web1
virsh -q start web1
expect_full vda vdb
