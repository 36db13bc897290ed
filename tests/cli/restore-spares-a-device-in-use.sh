#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# A block device that somebody uses is refused, by force too, with what it is
# used for: mounts, swap, processes that write to it whatever they call it, and
# domains, also if they are stopped.
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/repo.sh"
. "$tests/test-node.sh"

loop=
requires [ "$(id -u)" = 0 ]
truncate -s 10M large
requires losetup --find --show large
loop=$(cat requires.log)
trap 'umount -q mounted || :; swapoff "$loop" 2>/dev/null || :
	losetup -d "$loop"; clean_up' EXIT
make_chain
node=test:///default

# is_refused TEXT: nothing is written.
is_refused()
{
	sha256sum large >before
	expect 5 "$DSYNC_VM" restore web repo --disk vda="$loop" --force \
		-c "$node"
	says "$loop: in use: $1"
	sha256sum large | diff before -
}

mkfs.ext4 -q -F "$loop"
mkdir mounted
mount "$loop" mounted
is_refused "mounted on $work/mounted"
umount mounted
mkswap -q "$loop"
if swapon "$loop" 2>/dev/null; then
	is_refused 'the host swaps to it'
	swapoff "$loop"
fi

# As QEMU has it under libvirt: by a node of its own.
mknod node b 7 "${loop#/dev/loop}"
python3 -c 'import time; file = open("node", "r+b"); print(flush=True); time.sleep(60)' >ready &
servers=$!
await [ -s ready ]
is_refused "python3 (process $servers) has it open for writing"
kill "$servers"
wait "$servers" 2>/dev/null || :

# Reading it, as udev does, is no use.
exec 7<node
expect 0 "$DSYNC_VM" restore web repo --disk vda="$loop" --force -c "$node"
exec 7<&-
cmp -n 8388608 two.raw large

# block_domain NAME UUID DEVICE [METADATA]
block_domain()
{
	make_domain "$1" "<disk type='block' device='disk'>
		<driver type='raw'/><source dev='$3'/><target dev='vdx'/>
		</disk>" | sed "s|<uuid>.*</uuid>|<uuid>$2</uuid>${4-}|"
}

uuid_b=bbbbbbbb-bbbb-4bbb-8bbb-bbbbbbbbbbbb
make_node "$(block_domain other "$uuid_b" "$work/node")"
is_refused 'it is the disk vdx of the domain other'

# Its own, but not behind the tracker's back.
make_node "$(block_domain web "$uuid_a" "$work/node")"
expect 0 "$DSYNC_VM" restore web repo --disk vda="$loop" --force -c "$node"
recorded="<dsync:disk target='vdx' name='dsync-web-vdx' type='block'"
recorded="$recorded path='$work/node'><source dev='$work/node'/></dsync:disk>"
recorded="<dsync:domain xmlns:dsync='urn:dsync-vm:1'>$recorded</dsync:domain>"
make_node "$(block_domain web "$uuid_a" /dev/mapper/dsync-web-vdx \
	"<metadata>$recorded</metadata>")"
is_refused 'it is the disk vdx of web and tracked; restore it with --in-place'
