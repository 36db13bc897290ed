#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Whatever happens to the metadata device, the guest's writes succeed in time,
# nothing is missing from the report, and a foreign disk is not touched.
# timeout: 300
# disks: 256M 64M 64M
. "$TOP/tests/vm/lib.sh"
. "$TOP/tests/vm/lib-module.sh"

read -r data raw other <<<"$DISKS"
dev=/dev/mapper/t
meta_sectors=4096
fast='2 meta_timeout_ms 500'

# under TABLE: what META_DEV is made of now; "ok" for the plain disk. A device
# that hangs can only be exchanged without its I/O being waited for.
under() {
	local table=$1
	[ "$table" != ok ] || table="linear $raw 0"
	if dmsetup info meta &>/dev/null; then
		dmsetup reload meta --table "0 $meta_sectors $table"
		dmsetup suspend --noflush --nolockfs meta
		dmsetup resume meta
	else
		dm_create meta "0 $meta_sectors $table"
	fi
}

blank() {
	dd if=/dev/zero of="$raw" bs=1M count=4 oflag=direct status=none
}

# fresh: a device with nothing dirty in its first epoch
fresh() {
	blank
	under ok
	track_on t "$data" /dev/mapper/meta 8 "$fast"
	begin 1
	dmsetup message t 0 epoch_end "$(id 1)"
}

# begin N: also where META_DEV fails
begin() {
	dmsetup suspend t
	dmsetup message t 0 epoch_begin "$(id "$1")"
	dmsetup resume t
}

# write_in_time SECTOR COUNT: with all timeouts of ours, and a slow machine
write_in_time() {
	timeout 20 dd if=/dev/urandom of=$dev bs=$((512 * $2)) count=1 \
		seek=$((512 * $1)) oflag=direct,seek_bytes status=none ||
		fail "a write failed, or waits"
}

state_is() {
	[ "$(state t)" = "$1" ]
}

again() {
	dm_remove t
	track_on t "$data" /dev/mapper/meta 8 "$fast"
}

say() {
	echo "== $*"
}

say 'writes fail: degraded; afterwards as if nothing had happened'
fresh
write_in_time 0 8
under "flakey $raw 0 0 100 1 error_writes"
write_in_time 4096 8
wait_until 10 state_is degraded
write_in_time 8192 8
expect_equal "$(blocks t)" '0 512 1024'
begin 2
dmsetup message t 0 epoch_end "$(id 2)"
write_in_time 12288 8
expect_equal "$(state t) $(blocks t)" 'degraded 1536'
under ok
wait_until 10 state_is clean
expect_equal "$(blocks t)" 1536
again
expect_equal "$(state t) $(epoch t) $(blocks t)" "clean $(id 2) 1536"

say 'a crash while it was degraded: lost, as far as that could be written'
under "flakey $raw 0 0 100 1 error_writes"
write_in_time 16384 8
wait_until 10 state_is degraded
under ok
wait_until 10 state_is clean
write_in_time 20480 8
crash_copy "$raw" "$other"
track_on u "$data" "$other"
expect_equal "$(blocks u)" '1536 2048 2560-2815'
dm_remove u
dm_remove t

# What a device that lies has dropped is not there after a stop, and nobody can
# tell: DESIGN.md promises nothing for then. What is in RAM must not care.
say 'writes are dropped in silence: the live report is right all the same'
fresh
write_in_time 0 8
under "flakey $raw 0 0 100 1 drop_writes"
write_in_time 4096 8
dmsetup message t 0 flush
expect_equal "$(state t) $(blocks t)" 'clean 0 512'
begin 2
write_in_time 8192 8
expect_equal "$(bits /proc/dsync/t/frozen) $(blocks t)" '0 512 1024'
dmsetup message t 0 epoch_abort "$(id 2)"
dmsetup message t 0 flush
write_in_time 12288 8
expect_equal "$(blocks t)" '0 512 1024 1536'
begin 3
dmsetup reload t --table "0 $(sectors "$data") dsync $data /dev/mapper/meta 8"
dmsetup resume t
write_in_time 16384 $((2048 * 40))
expect_equal "$(bits /proc/dsync/t/frozen)" '0 512 1024 1536'
dmsetup message t 0 epoch_end "$(id 3)"
dmsetup message t 0 flush
expect_equal "$(epoch t) $(blocks t)" "$(id 3) 2048-12287"
dm_remove t
under ok
track_on t "$data" /dev/mapper/meta 8 "$fast"
write_in_time 0 8
[[ " $(blocks t) " =~ ' 0'[\ -] ]] || fail "block 0 is not among $(blocks t)"
dm_remove t

say 'it hangs: the write goes on after the timeout'
fresh
dmsetup suspend --nolockfs meta
write_in_time 0 8
wait_until 10 state_is degraded
write_in_time 8192 8
dmsetup suspend t
expect_equal "$(message t epoch_begin "$(id 2)")" ''
dmsetup resume t
expect_equal "$(message t flush)" 'Connection timed out'
expect_equal "$(bits /proc/dsync/t/frozen)" '0 1024'
dmsetup resume meta
wait_until 20 state_is clean
dmsetup message t 0 epoch_abort "$(id 2)"
again
expect_equal "$(state t) $(epoch t) $(blocks t)" "clean $(id 1) 0 1024"

say 'it hangs when an epoch is to begin, and to end'
dmsetup suspend --nolockfs meta
dmsetup suspend t
expect_equal "$(message t epoch_begin "$(id 3)")" 'Connection timed out'
dmsetup resume t
dmsetup resume meta
wait_until 20 state_is clean
expect_equal "$(epoch t) $(value t open) $(blocks t)" "$(id 1) - 0 1024"
begin 3
dmsetup suspend --nolockfs meta
expect_equal "$(message t epoch_end "$(id 3)")" 'Connection timed out'
dmsetup resume meta
wait_until 20 state_is clean
expect_equal "$(value t open)" "$(id 3)"
dmsetup message t 0 epoch_end "$(id 3)"
write_in_time 40 8
again
expect_equal "$(state t) $(epoch t) $(blocks t)" "clean $(id 3) 5"
dm_remove t

say 'it hangs when the device comes up: lost, and found again'
dmsetup suspend --nolockfs meta
track_on t "$data" /dev/mapper/meta 8 "$fast"
expect_equal "$(state t) $(dirty t)" 'lost 65536'
write_in_time 0 8
dmsetup resume meta
mended() {
	dmsetup message t 0 flush 2>/dev/null
}
wait_until 20 mended
begin 4
dmsetup message t 0 epoch_end "$(id 4)"
expect_equal "$(state t)" clean
write_in_time 80 8
again
expect_equal "$(state t) $(blocks t)" 'clean 10'

say 'it cannot be read when the device comes up'
dm_remove t
under "error"
track_on t "$data" /dev/mapper/meta 8 "$fast"
expect_equal "$(state t) $(dirty t)" 'lost 65536'
write_in_time 0 8
dm_remove t
under ok

# A kernel that checks itself tells of a timer that is left behind.
say 'and turns out as a foreign one: the device can go at once'
was_read() {
	local reads name
	name=$(dmsetup info -c --noheadings -o blkdevname meta)
	read -r reads _ <"/sys/block/$name/stat"
	[ "$reads" -gt 0 ]
}
dm_remove meta
under error
track_on t "$data" /dev/mapper/meta 8 "$fast"
dd if=/dev/urandom of="$raw" bs=1M count=2 oflag=direct status=none
under ok
wait_until 20 was_read
dm_remove t
blank

# damaged OFFSET STATE BLOCKS: 16 bytes of noise in a clean META_DEV
damaged() {
	dd if=/dev/urandom of="$raw" bs=1 count=16 seek="$1" conv=notrunc \
		status=none
	sync "$raw"
	track_on t "$data" /dev/mapper/meta 8 "$fast"
	expect_equal "$(state t) $(blocks t)" "$2 $3"
	begin "$4"
	dmsetup message t 0 epoch_end "$(id "$4")"
	write_in_time 80 8
	again
	expect_equal "$(state t) $(blocks t)" 'clean 10'
	dm_remove t
}

say 'single sectors are damaged'
fresh
write_in_time 80 8
dm_remove t
damaged 100 clean 10 11
damaged $((4096 + 100)) clean 10 12
damaged $((2 * 4096 + 100)) clean 10 13
# After 16 blocks of intents, the leaves of one slot begin at block 18, those of
# the other at 34.
dd if=/dev/urandom of="$raw" bs=1 count=16 seek=$((34 * 4096 + 612)) \
	conv=notrunc status=none
damaged $((18 * 4096 + 612)) recovered '10 3968-7935' 14

say 'both superblocks are damaged: not touched'
dd if=/dev/urandom of="$raw" bs=1 count=16 seek=100 conv=notrunc status=none
dd if=/dev/urandom of="$raw" bs=1 count=16 seek=4196 conv=notrunc status=none
sync "$raw"
# untouched: a META_DEV whose content is not ours keeps every byte.
untouched() {
	local before
	before=$(sha256sum <"$raw")
	track_on t "$data" /dev/mapper/meta 8 "$fast"
	expect_equal "$(state t) $(dirty t)" 'lost 65536'
	write_in_time 0 8
	begin 2
	write_in_time 80 8
	dmsetup message t 0 epoch_end "$(id 2)"
	expect_equal "$(state t) $(blocks t)" 'degraded 10'
	dm_remove t
	expect_equal "$(sha256sum <"$raw")" "$before"
}
untouched

say 'noise; a file system; the guest disk itself'
dd if=/dev/urandom of="$raw" bs=1M count=2 conv=fsync status=none
untouched
mkfs.ext4 -q /dev/mapper/meta
untouched

say 'a later version'
fresh
dm_remove t
for at in 0 4096; do
	printf '\2' | dd of="$raw" bs=1 seek=$((at + 8)) conv=notrunc status=none
done
sync "$raw"
untouched

say 'too small for what it says it is: the guest starts all the same'
fresh
write_in_time 80 8
dm_remove t
meta_sectors=128
dmsetup remove meta
under ok
track_on t "$data" /dev/mapper/meta 8 "$fast"
expect_equal "$(state t) $(dirty t)" 'lost 65536'
dm_remove t
meta_sectors=4096
dmsetup remove meta
under ok
track_on t "$data" /dev/mapper/meta 8 "$fast"
expect_equal "$(state t) $(dirty t)" 'lost 65536'
dm_remove t

say 'wrong tables'
# refused TEXT TABLE: the kernel's log has TEXT.
refused() {
	dmesg --clear
	if dmsetup create bad --table "$2" 2>/dev/null; then
		dmsetup remove bad
		fail "accepted: $2"
	fi
	dmesg | grep -q "$1" || fail "'$2' is refused with: $(dmesg)"
}
refused "BLOCK_SECTORS differs from META_DEV's" \
	"0 65536 dsync $data /dev/mapper/meta 16"
blank
dm_create small "0 128 linear $raw 0"
refused 'META_DEV needs .* sectors' \
	"0 $(sectors "$data") dsync $data /dev/mapper/small 8"
dm_remove small
track_on t "$data" /dev/mapper/meta
refused 'META_DEV is in use for another device' \
	"0 8192 dsync $other /dev/mapper/meta 8"
dm_remove t
dm_remove meta
