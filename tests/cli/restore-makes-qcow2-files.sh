#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# A disk restored as qcow2 is one file that stock tools read byte for byte as
# the point, without a backing file, features of its own, or space for zeroes.
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/repo.sh"

make_chain
mkdir to
expect 0 "$DSYNC_VM" restore web repo --to to --format=qcow2 --output json
grep -q '"path": "'"$work/to/web-vda.qcow2"'"' out || failed "$(cat out)"
grep -q '"format": "qcow2"' out || failed "$(cat out)"
[ "$(ls to)" = web-vda.qcow2 ] || failed "$(ls to)"
qemu-img check -q to/web-vda.qcow2
qemu-img compare -q -f qcow2 -F raw to/web-vda.qcow2 two.raw
qemu-img info --output=json to/web-vda.qcow2 >described
! grep -q backing described || failed "not standalone"
grep -q '"extended-l2": false' described || failed "not as by default"

# The chain has 1 MiB in one place and 4 or 64 KiB in four others.
[ "$(stat -c %s to/web-vda.qcow2)" -lt 2097152 ] || failed "zeroes take space"

# A pick, an earlier point, and in the place of another file.
expect 1 "$DSYNC_VM" restore web repo "$one" --disk vda=to/web-vda.qcow2 \
	--format=qcow2
says 'force replaces it'
expect 0 "$DSYNC_VM" restore web repo "$one" --disk vda=to/web-vda.qcow2 \
	--format=qcow2 --force
qemu-img compare -q -f qcow2 -F raw to/web-vda.qcow2 one.raw
qemu-img check -q to/web-vda.qcow2

# Remains of another kind are overwritten whole.
yes rubbish | head -c 9000000 >x.partial
expect 0 "$DSYNC_VM" restore web repo --disk vda=x --format=qcow2 --force
qemu-img compare -q -f qcow2 -F raw x two.raw
qemu-img check -q x

expect 2 "$DSYNC_VM" restore web repo --to to --format=vmdk
expect 0 "$DSYNC_VM" restore web repo --to to
cmp two.raw to/web-vda.raw
