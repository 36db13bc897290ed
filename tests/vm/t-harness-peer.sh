#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# A second machine answers by ssh and by libvirt; what is sent while the network
# is cut is lost, and arrives when it is mended; and it can lose its power.
# peer: 64M 128M
# timeout: 300
. "$TOP/tests/vm/lib.sh"
. "$TOP/tests/vm/lib-peer.sh"

start_libvirtd
start_peer

# --- it answers -------------------------------------------------------------

expect_equal "$(ssh there hostname)" there
# shellcheck disable=SC2016 # that is the point
expect_equal "$(there echo 'one  word' '$HOME')" 'one  word $HOME'
expect_equal "$(there pwd)" "$PWD"
expect_equal "$(there command -v dsync-vm)" /usr/sbin/dsync-vm
expect_exit 3 there sh -c 'exit 3'
# shellcheck disable=SC2086 # a list
expect_equal "$(there blockdev --getsize64 $PEER_DISKS | xargs)" \
	"$((64 << 20)) $((128 << 20))"
expect_equal "$(virsh -c qemu+ssh://there/system -q hostname | xargs)" there
at_peer virsh -q list --all

# --- the network can be cut and limited ---------------------------------------

(pause 3 && echo late) | there sh -c 'cat >said' &
wait_until 20 there [ -e said ]
cut_network
expect_exit 124 timeout 5 ssh there true
kill -0 $! || fail 'a connection was closed'
mend_network
wait $!
expect_equal "$(there cat said)" late
limit_network 8mbit
began=$SECONDS
head -c 5M /dev/zero | there sh -c 'cat >/dev/null'
[ $((SECONDS - began)) -ge 4 ] || fail 'the limit is none'
limit_network

# --- its power can go -----------------------------------------------------------

disk=${PEER_DISKS%% *}
echo kept | there dd of="$disk" conv=fsync status=none
kill_peer
expect_exit 124 timeout 3 ssh there true
start_peer
expect_equal "$(there head -c 4 "$disk")" kept
expect_exit 1 there [ -e said ]
