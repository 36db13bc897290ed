#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Every kind of write marks every block it touches, and no other.
# disks: 64M
# timeout: 240
. "$TOP/tests/vm/lib.sh"
. "$TOP/tests/vm/lib-module.sh"

data=${DISKS%% *}
track t "$data"
dev=/dev/mapper/t

# marks WHAT RANGES COMMAND...
marks() {
	local what=$1 want=$2
	shift 2
	clear t
	expect_equal "$(blocks t)" '' "before $what"
	"$@"
	sync "$dev"
	expect_equal "$(blocks t)" "$want" "$what"
}

marks 'a read' '' dd if=$dev of=/dev/null bs=1M count=4 iflag=direct status=none
marks 'a flush' '' dd if=/dev/null of=$dev count=0 conv=fsync,notrunc status=none
marks 'a block' 5 write_at $dev 40 8
marks 'a sector' 5 write_at $dev 43 1
marks 'the last sector of a block and the first of the next' 5-6 \
	write_at $dev 47 2
marks 'an unaligned write' 5-9 write_at $dev 47 33
marks '1 MiB' 0-255 write_at $dev 0 2048
marks '1 MiB, unaligned' 0-256 write_at $dev 1 2048
marks 'the last sector' 16383 write_at $dev 131071 1
marks 'a buffered write' 100-101 \
	dd if=/dev/urandom of=$dev bs=4k seek=100 count=2 conv=notrunc status=none
marks 'a write with FUA' 7 dd if=/dev/urandom of=$dev bs=4k seek=7 count=1 \
	oflag=direct,dsync status=none

marks 'a discard of 8 MiB' 256-2303 blkdiscard -o 1M -l 8M $dev
marks 'a discard of all' 0-16383 blkdiscard $dev
marks 'an unaligned discard' 0-8 blkdiscard -o 512 -l 32768 $dev
marks 'zeroes' 256-2303 blkdiscard -z -o 1M -l 8M $dev
marks 'unaligned zeroes' 3-5 blkdiscard -z -o 15872 -l 5120 $dev
marks 'a punched hole' 16-31 fallocate -p -o 64k -l 64k $dev
marks 'a zeroed range' 16-31 fallocate -z -o 64k -l 64k $dev
if blkdiscard -s -o 1M -l 1M $dev 2>/dev/null; then
	marks 'a secure erase' 256-511 blkdiscard -s -o 1M -l 1M $dev
fi

# Three neighbours and one far away, in one go
clear t
for sector in 8 24 16 131064; do
	write_at $dev $sector 8
done
expect_equal "$(blocks t)" '1-3 16383'
expect_equal "$(dirty t)" 4

# Larger blocks
dm_remove t
track t "$data" 2048
marks 'a sector of a large block' 1 write_at $dev 4095 1
marks 'an unaligned write into large blocks' 0-1 write_at $dev 2047 2
marks 'a discard over large blocks' 1-9 blkdiscard -o 1536k -l 8M $dev
