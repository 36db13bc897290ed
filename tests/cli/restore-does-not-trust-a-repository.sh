#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# A repository that is damaged, or that was made to lead elsewhere, gives an
# error, and its other points.
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/repo.sh"

make_chain
manifest=repo/web/points/$two.json
image=repo/web/disks/vda/$one.qcow2
cp "$manifest" good.json
cp "$image" good.qcow2
chmod u+w "$manifest"

# The second point is refused, the first one is still to be had.
manifest_is_refused()
{
	expect 3 "$DSYNC_VM" list web repo
	grep -q "$1" err || failed "no '$1' in: $(cat err)"
	expect 1 "$DSYNC_VM" restore web repo "$two" --disk vda=x.raw
	rm -f x.raw
	expect 3 "$DSYNC_VM" restore web repo "$one" --disk vda=x.raw
	cmp one.raw x.raw
	rm x.raw
	cp good.json "$manifest"
}

head -c 300 good.json >"$manifest"
manifest_is_refused truncated
sed 's|disks/vda/|../../../../etc/|' good.json >"$manifest"
manifest_is_refused '"file" is not'
sed 's|"target": "vda"|"target": "../vda"|' good.json >"$manifest"
manifest_is_refused '"target" is not'
sed "s|\"backing\": \"$one\"|\"backing\": \"../../$one\"|" good.json >"$manifest"
manifest_is_refused '"backing" is not'
sed 's|"size_bytes": 8388608|"size_bytes": -8388608|' good.json >"$manifest"
manifest_is_refused 'is negative'

# A chain with a hole, or with an image that is not the manifest's.
chain_is_refused()
{
	for name in "$one" "$two"; do
		expect 7 "$DSYNC_VM" restore web repo "$name" --disk vda=x.raw
		says "$1"
	done
	[ ! -e x.raw ] || failed "a file was made"
	cp -f good.qcow2 "$image"
}

rm -f "$image"
chain_is_refused missing
rm -f "$image"
echo nonsense >"$image"
chain_is_refused 'not a qcow2 image'
rm -f "$image"
echo secret >secret
qemu-img create -q -f qcow2 -b "$work/secret" -F raw "$image" 8M
chain_is_refused 'does not name'
rm -f "$image"
qemu-img create -q -f qcow2 -o data_file=/dev/null,data_file_raw=on "$image" 8M 2>/dev/null ||
	qemu-img create -q -f qcow2 -o data_file="$work/data" "$image" 8M
chain_is_refused 'does not name'
rm -f "$image"
qemu-img create -q -f qcow2 "$image" 4M
chain_is_refused 'bytes'

# A future format says so.
sed 's|"format": 1|"format": 2|' repo/dsync-repo.json >json
mv -f json repo/dsync-repo.json
expect 8 "$DSYNC_VM" restore web repo --disk vda=x.raw
says newer
