#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
#
# What reads as it was sent verifies; a block that changed since is found and
# named with its disk, point and image, whether it was data or zeroes, and in
# every point that reads it; what is repaired verifies again.

# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/repo.sh"

make_chain
echo 'write -P 5 0 64k' >s3
three=$(point 3000 vda:16777216:s2 vdb:1048576:s3)
images=repo/web/disks/vda

# expect_places "POINT IMAGE FIRST COUNT"...: exactly these.
expect_places()
{
	jq -r '.mismatches[] | "\(.point) \(.image) \(.first_block) \(.blocks)"' \
		out >places
	printf '%s\n' "$@" | diff - places || failed "other places: $(cat out)"
}

# scribble IMAGE COMMAND: changes a committed image behind its back.
scribble()
{
	chmod u+w "$images/$1.qcow2"
	qemu-io -f qcow2 -c "$2" "$images/$1.qcow2" >scribble.log
	chmod u-w "$images/$1.qcow2"
}

verify()
{
	"$DSYNC_VM" verify --output json web repo "$@"
}

expect 0 verify
expect 0 verify "$one" "$two" latest
expect 0 verify --all
[ "$(jq '[.disks[].blocks] | add' out)" -ge 6144 ] || failed "too few: $(cat out)"

# The image of the first point has the block, and the second reads it.
cp "$images/$one.qcow2" saved
scribble "$one" 'write -P 7 3M 4k'
expect 7 verify "$one" "$two"
says '2 blocks'
expect_places "$one $one 768 1" "$two $one 768 1"
# What only the first one has is not what only the second has.
expect 7 verify --all
expect_places "$three $one 768 1" "$one $one 768 1"

# Zeroes count; neighbours are one place.
scribble "$one" 'write -P 7 2M 12k'
expect 7 verify "$one"
expect_places "$one $one 512 3" "$one $one 768 1"
cp -f saved "$images/$one.qcow2"
expect 0 verify --all
! [ -e "$images/$one.damaged" ] || failed "still called damaged"

# A hole in the second image, through which the first shows.
scribble "$two" 'write -P 1 4k 4k'
expect 7 verify "$two"
expect_places "$two $two 1 1"
expect 0 verify "$one"

# Images that cannot be read at all do not stop it from looking at others.
chmod u+w "$images/$three.qcow2"
truncate -s 100 "$images/$three.qcow2"
expect 7 verify --all
[ "$(jq '.disks | length' out)" = 4 ] || failed "not all: $(cat out)"
