#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
#
# With the clock set back, or standing still, a backup goes on from the point that
# was made last; that one is restored, and is what the rules keep.

# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/repo.sh"

: "${MAKE_BACKUP:=$BUILD/tests/cli/make-backup}"

# next TIME BYTE: a point of the disk with one more block written.
next()
{
	printf 'write -P %d %dk 4k\n' "$2" $(($2 * 4)) >script
	apply script disk
	"$MAKE_BACKUP" repo web "$uuid_a" "$1" 0 vda:disk:- >made
	point=$(tail -n 1 made)
	[ "$2" = 1 ] || grep -q '^vda.* sent 4096 ' made ||
		failed "not what changed: $(cat made)"
	qemu-img compare -q -f raw -F qcow2 disk "repo/web/disks/vda/$point.qcow2"
}

mkdir repo
truncate -s 1M disk
next 864000 1
next 500000 2
before=$point
next 500000 3
[ "$point" = "$before-2" ] || failed "its name is $point"
expect 0 "$DSYNC_VM" verify --all web repo
expect 0 "$DSYNC_VM" prune web repo --keep-last 2
[ "$(find repo -name '*.json' | grep -c /points/)" = 2 ] || failed 'not two'
[ -e "repo/web/points/$before.json" ] || failed 'the later name was kept'
next 100000 4
expect 0 "$DSYNC_VM" prune web repo --keep-daily 1
expect 0 "$DSYNC_VM" restore web repo --disk vda=new.raw
cmp disk new.raw
