#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Bios reach the data device in one piece, and limits are those of the disk.
# disks: 64M
. "$TOP/tests/vm/lib.sh"
. "$TOP/tests/vm/lib-module.sh"

data=${DISKS%% *}
tracing=/sys/kernel/tracing
mountpoint -q $tracing || {
	mount -t tracefs tracefs $tracing
	cleanup_fn umount $tracing
}

# bios NAME COMMAND...: the lengths, in sectors, of the bios other than reads
# that the device called NAME passes on while COMMAND runs.
bios() {
	local numbers
	numbers=$(dmsetup info -c --noheadings -o major,minor "$1")
	shift
	: >$tracing/trace
	echo 1 >$tracing/events/block/block_bio_remap/enable
	"$@"
	echo 0 >$tracing/events/block/block_bio_remap/enable
	sed -n "s/.* [WDN][A-Z]* [0-9]* + \([0-9]*\) <- (${numbers/:/,}) .*/\1/p" \
		$tracing/trace | xargs
}

# limits NAME: what a guest can see of the device.
limits() {
	local numbers
	numbers=$(dmsetup info -c --noheadings -o major,minor "$1")
	(cd "/sys/dev/block/$numbers/queue" &&
		grep -H . logical_block_size physical_block_size \
			minimum_io_size optimal_io_size max_sectors_kb \
			max_segments discard_granularity discard_max_bytes \
			write_zeroes_max_bytes rotational write_cache fua)
}

dm_create plain "0 $(sectors "$data") linear $data 0"
want=$(limits plain)
dm_remove plain

track t "$data"
expect_equal "$(limits t)" "$want" 'limits'
expect_equal "$(bios t write_at /dev/mapper/t 0 2048)" 2048 '1 MiB'
expect_equal "$(bios t write_at /dev/mapper/t 1 2000)" 2000 'unaligned'
expect_equal "$(bios t blkdiscard -o 512k -l 8M /dev/mapper/t)" 16384 'a discard'
expect_equal "$(bios t blkdiscard -z -o 512k -l 4M /dev/mapper/t)" 8192 'zeroes'
