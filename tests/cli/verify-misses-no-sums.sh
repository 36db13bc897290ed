#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Sums that are missing, cut short, damaged or of another image are never
# taken for a verified disk: exit 7, and which blocks nobody knows.

# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/repo.sh"

make_chain
sums=repo/web/disks/vda/$one.sums
chmod u+w repo/web/disks/vda/*.sums
cp "$sums" saved

# unknown_after COMMAND...: what it does to the sums is noticed, in both points.
unknown_after()
{
	cp -f saved "$sums"
	"$@"
	expect 7 "$DSYNC_VM" verify --output json web repo "$one" "$two"
	jq -e '.unknown > 2000 and .mismatched == 0' out >/dev/null ||
		failed "$(cat out)"
}

unknown_after rm "$sums"
unknown_after truncate -s 5000 "$sums"
unknown_after truncate -s 100 "$sums"
unknown_after truncate -s 0 "$sums"
unknown_after cp "repo/web/disks/vda/$two.sums" "$sums"
unknown_after dd if=/dev/urandom of="$sums" bs=1 seek=8192 count=16 \
	conv=notrunc status=none
cp -f saved "$sums"
expect 0 "$DSYNC_VM" verify web repo --all
