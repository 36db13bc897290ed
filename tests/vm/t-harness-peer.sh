#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# A second machine answers by ssh and by libvirt, a running guest moves there with
# its disk, what is sent while the network is cut arrives when it is mended, and
# the machine can lose its power.
# long
# peer: 64M 128M
# timeout: 600
. "$TOP/tests/vm/lib.sh"
. "$TOP/tests/vm/lib-peer.sh"

start_libvirtd
truncate -s 16M mover.raw
mkfs.ext4 -q mover.raw
define_guest mover "$PWD/mover.raw"
virsh -q start mover
start_peer

# --- it answers -------------------------------------------------------------

expect_equal "$(ssh there hostname)" there
# shellcheck disable=SC2016 # that is the point
expect_equal "$(there echo 'one  word' '$HOME')" 'one  word $HOME'
expect_equal "$(there sh -c 'pwd; command -v dsync-vm' | xargs)" \
	"$PWD /usr/sbin/dsync-vm"
expect_exit 3 there sh -c 'exit 3'
# shellcheck disable=SC2086 # a list
expect_equal "$(there blockdev --getsize64 $PEER_DISKS | xargs)" \
	"$((64 << 20)) $((128 << 20))"
expect_equal "$(virsh -c qemu+ssh://there/system -q hostname)" there

# --- guests move there ------------------------------------------------------

# move NAME: it runs over there, and no longer here.
move() {
	there truncate -s 16M "$1.raw"
	virsh -q migrate --live --persistent --copy-storage-all "$1" \
		qemu+ssh://there/system tcp://there
	expect_equal "$(virsh -q domstate "$1")" 'shut off'
	expect_equal "$(at_peer virsh -q domstate "$1")" running
}

truncate -s 16M idle.raw
define_dummy idle "$PWD/idle.raw"
virsh -q start idle
dummy_write idle 0 1M 64k 0xab
move idle
at_peer dummy_io idle 0 'read -P 0xab 1M 64k' >/dev/null

# guest_uptime: in seconds
guest_uptime() {
	guest_sh mover 'cut -d . -f 1 /proc/uptime'
}

guest_wait_agent mover
guest_sh mover 'echo disk >/mnt/vda/greeting; echo memory >/run/greeting'
before=$(guest_uptime)
move mover
at_peer guest_wait_agent mover 60
expect_equal "$(at_peer guest_sh mover 'cat /run/greeting /mnt/vda/greeting' |
	xargs)" 'memory disk'
after=$(at_peer guest_uptime)
[ "$after" -gt "$before" ] || fail "up for $before s, then for $after s"
echo "the guest was up for $before s here, and for $after s there"

# --- the network can be cut, and be slow ------------------------------------

(wait_until 100 [ -e cut ] && echo late) | there sh -c 'cat >said' &
wait_until 60 there [ -e said ]
cut_network
touch cut
expect_exit 124 timeout 5 ssh there true
kill -0 $! || fail 'a connection was closed'
mend_network
wait $!
expect_equal "$(there cat said)" late

limit_network 8mbit
began=$SECONDS
head -c 4M /dev/zero | there sh -c 'cat >/dev/null'
[ $((SECONDS - began)) -ge 3 ] || fail 'the limit is none'
limit_network

# --- its power can go -------------------------------------------------------

disk=${PEER_DISKS%% *}
echo kept | there dd of="$disk" conv=fsync status=none
kill_peer
expect_exit 124 timeout 3 ssh there true
start_peer
expect_equal "$(there head -c 4 "$disk")" kept
expect_exit 1 there [ -e said ]
