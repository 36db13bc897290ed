#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# A block device is written up to the disk's end if it is large enough and
# empty; what is on it is named, and overwritten by force alone.
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/repo.sh"

loop=
requires [ "$(id -u)" = 0 ]
truncate -s 10M large
requires losetup --find --show large
loop=$(cat requires.log)
trap 'losetup -d "$loop"; clean_up' EXIT
make_chain

restore_to_it()
{
	code=$1
	shift
	expect "$code" "$DSYNC_VM" restore web repo --disk vda="$loop" \
		-c test:///default "$@"
}

restore_to_it 0
cmp -n 8388608 two.raw large

# Too small, with both sizes, by force too.
printf '' >none
big=$(point 3000 vda:20971520:none)
restore_to_it 1 --force
says 'too small, 10485760 bytes for a disk of 20971520'
rm "repo/web/points/$big.json"
restore_to_it 1 --force --format=qcow2
says 'written raw'

# is_refused WHAT: nothing is written.
is_refused()
{
	sha256sum large >before
	restore_to_it 1
	says "there is $1 on it; --force overwrites it"
	sha256sum large | diff before -
}

# put OFFSET FORMAT: nothing else is on the device.
put()
{
	head -c 10485760 /dev/zero >"$loop"
	# shellcheck disable=SC2059
	printf "$2" | dd of="$loop" bs=1 seek="$1" conv=notrunc status=none
	sync "$loop"
}

put 5000 x
is_refused data
put 10485759 x
is_refused data
put 512 'LABELONE'
is_refused 'an LVM physical volume'
put 510 '\125\252'
is_refused 'a partition table or boot sector'
put 512 'EFI PART'
is_refused 'a GPT'
put 0 'dsyncmap'
is_refused "what dsync-vm knows of a disk's changes"
mkfs.ext4 -q -F "$loop"
is_refused 'an ext2, ext3 or ext4'

# What lies behind the disk's end stays.
yes rubbish | head -c 10485760 >"$loop"
yes rubbish | head -c 10485760 | tail -c +8388609 >rest
restore_to_it 0 --force
cmp -n 8388608 two.raw large
tail -c +8388609 large | cmp - rest
