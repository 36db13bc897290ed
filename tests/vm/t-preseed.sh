#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# A domain whose disks were brought to another host moves there with them, byte
# for byte, though it writes all the time; the next backup over there is
# incremental, and the host that it left does not start it again.
# long
# disks: 64M 1G
# peer: 64M
# timeout: 900
. "$TOP/tests/vm/lib.sh"
. "$TOP/tests/vm/lib-backup.sh"
. "$TOP/tests/vm/lib-peer.sh"

make_host
start_peer
make_domain web1
file=$PWD/host/web1.raw
uri=qemu+ssh://there/system
there mkdir "$PWD/host"
repository=$PWD/host/far
there mkdir "$repository"
far=ssh://there$repository
places=(--create --disk "vdb=$PEER_DISKS")

preseed() {
	dsync-vm preseed web1 "$uri" "${places[@]}" "$@"
}

# --- the plan ------------------------------------------------------------------

scribble web1 30
preseed --dry-run
expect_exit 1 there [ -e "$file" ]

# --- seeding ----------------------------------------------------------------------

backup web1 "$far" --no-freeze
expect_equal "$status" 0
preseed
scribble web1 10
preseed >out
cat out
grep -q '^pass 1' out

# --- moving ----------------------------------------------------------------------

scribble web1 20
keep web1 was
comes_in() {
	[ "$(at_peer virsh -q domstate web1 2>/dev/null)" = paused ]
}

# Nobody resumes it too early.
limit_network 1mbit
preseed --migrate --max-downtime 30000 >moved 2>&1 &
mover=$!
wait_until 200 comes_in
expect_exit 1 at_peer virsh -q resume web1
limit_network
wait $mover || fail "$(cat moved)"
cat moved
expect_equal "$(virsh -q domstate web1 | xargs)" 'shut off'
expect_equal "$(at_peer virsh -q domstate web1 | xargs)" running
for disk in vda vdb; do
	there cat "/dev/mapper/dsync-web1-$disk" | cmp - "was/$disk"
done
there dsync-vm status web1
virsh -q start web1 2>err && fail 'it was started twice'
grep 'handed over' err

# --- the chain goes on -----------------------------------------------------------

at_peer scribble web1 10
for disk in vda vdb; do
	there cat "/dev/mapper/dsync-web1-$disk" >"now-$disk"
done
there dsync-vm backup web1 "$far" --no-freeze --output json >there.json
expect_equal "$(jq -c '[.disks[].full]' there.json)" '[false,false]'
expect_equal "$(jq .exit_code there.json)" 0
there dsync-vm verify -q web1 "$repository" --all
there dsync-vm restore -q web1 "$repository" --to "$PWD/host"
for disk in vda vdb; do
	there cat "$PWD/host/web1-$disk.raw" | cmp - "now-$disk"
done

# --- the host it left --------------------------------------------------------------

expect_equal "$(dsync-vm status web1 --output json | jq -r '.disks[0].state')" handed-over
expect_exit 5 dsync-vm backup web1 "$far"

# --- and back again -------------------------------------------------------------

at_peer virsh -q destroy web1
dsync-vm preseed --abort web1
virsh -q start web1
expect_clean web1

# --- and once more, as it is shut down ---------------------------------------------

at_peer virsh -q undefine web1
virsh -q destroy web1
# What it has over there is what it wrote there: nobody here knows that.
expect_exit 1 preseed --offline 2>err
grep 'is not empty' err
preseed --offline --force
expect_equal "$(at_peer virsh -q domstate web1)" 'shut off'
expect_exit 1 virsh -q start web1
at_peer virsh -q start web1
there cat /dev/mapper/dsync-web1-vda | cmp - "$PWD/host/web1.raw"
there cat /dev/mapper/dsync-web1-vdb | cmp - "$block"
there dsync-vm backup web1 "$far" --no-freeze --output json >offline.json || :
jq -c '[.exit_code, .disks[].full]' offline.json
