#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# A block device is written up to the disk's end if it is large enough and free.
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/repo.sh"

loop=
requires [ "$(id -u)" = 0 ]
truncate -s 10M large
requires losetup --find --show large
loop=$(cat requires.log)
trap 'umount -q mounted 2>/dev/null || :; losetup -d "$loop"; clean_up' EXIT
make_chain
yes rubbish | head -c 10485760 >large

expect 0 "$DSYNC_VM" restore web repo --disk vda="$loop"
cmp -n 8388608 two.raw large
yes rubbish | head -c 10485760 | tail -c +8388609 >rest
tail -c +8388609 large | cmp - rest
printf '' >none
point 3000 vda:20971520:none >/dev/null
expect 1 "$DSYNC_VM" restore web repo --disk vda="$loop"
says 'too small'
mkfs.ext4 -q -F "$loop"
mkdir mounted
mount "$loop" mounted
expect 5 "$DSYNC_VM" restore web repo "$two" --disk vda="$loop"
says 'in use'
umount mounted
