#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Each wrong word in a table gets one clear error, and no device is made.
# timeout: 240
. "$TOP/tests/vm/lib.sh"
. "$TOP/tests/vm/lib-module.sh"
declare data # by data_device

data_device data 1M
size=2048

# refused TEXT LENGTH ARGUMENT...: the kernel's log has TEXT.
refused() {
	local want=$1 length=$2
	shift 2
	dmesg --clear
	if dmsetup create bad --table "0 $length dsync $*" 2>/dev/null; then
		dmsetup remove bad
		fail "accepted: $*"
	fi
	dmesg | grep -qF -- "$want" || fail "'$*' is refused with: $(dmesg)"
	dmsetup info bad &>/dev/null && fail "$*: left a device"
	:
}

refused 'Needs DATA_DEV' $size
refused 'Needs DATA_DEV' $size "$data"
refused 'Needs DATA_DEV' $size "$data -"
refused 'Cannot open DATA_DEV' $size /dev/nonesuch - 8
refused 'smaller than the target' $((size + 1)) "$data - 8"
refused 'Cannot open META_DEV' $size "$data /dev/null 8"
refused 'Cannot open META_DEV' $size "$data /dev/nonesuch 8"
refused 'must differ' $size "$data $data 8"
for bad in 0 1 4 7 9 12 -8 8x 0x8 4294967296 abc; do
	refused 'BLOCK_SECTORS must be a power of two' $size "$data - $bad"
done

refused 'N_OPTS must be' $size "$data - 8 x"
refused 'N_OPTS must be' $size "$data - 8 1 region_sectors"
refused 'N_OPTS must be' $size "$data - 8 2 region_sectors"
refused 'N_OPTS must be' $size "$data - 8 0 region_sectors 2048"
refused 'N_OPTS must be' $size "$data - 8 10 a 1 b 1 c 1 d 1 e 1"
refused 'N_OPTS must be' $size "$data - 8 4 region_sectors 2048"
refused 'Unknown option' $size "$data - 8 2 nonesuch 1"
refused 'given twice' $size \
	"$data - 8 4 active_regions 64 active_regions 64"
for bad in 0 7 4 100 4194304 x -1; do
	refused 'region_sectors must be' $size "$data - 8 2 region_sectors $bad"
done
refused 'not be less than BLOCK_SECTORS' $size \
	"$data - 64 2 region_sectors 32"
for bad in 0 3 65537 x; do
	refused 'active_regions must be' $size "$data - 8 2 active_regions $bad"
done
for option in meta_timeout_ms hold_timeout_ms; do
	for bad in 0 600001 x; do
		refused "$option must be" $size "$data - 8 2 $option $bad"
	done
done

dmesg --clear
printf '%s\n' "0 1024 dsync $data - 8" "1024 1024 dsync $data - 8" >two
! dmsetup create bad two 2>/dev/null || fail 'two targets in a table'
dmesg | grep -qF 'Only one dsync target per table'

# The smallest and the largest values that are right
track good "$data" 8 '8 region_sectors 8 active_regions 4 meta_timeout_ms 1 hold_timeout_ms 1'
dm_remove good
track good "$data" 2147483648 '2 active_regions 65536'
expect_equal "$(word good 6)" 1 'blocks'
