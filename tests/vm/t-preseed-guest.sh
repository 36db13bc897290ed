#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# A guest that writes a log, number by number, each one synced, moves to another
# host with its disk and does not notice: no number is missing, it has not booted
# anew, its filesystem is whole, and its backups go on there.
# disks: 1G
# peer: 128M
# timeout: 900
. "$TOP/tests/vm/lib.sh"
. "$TOP/tests/vm/lib-peer.sh"

requires jq

mkfs.ext4 -q "$DISKS"
mkdir host
mount "$DISKS" host
cleanup_fn umount host
truncate -s 128M host/web1.raw
mkfs.ext4 -q -E lazy_itable_init=0,lazy_journal_init=0 host/web1.raw
start_libvirtd
define_guest web1 "$PWD/host/web1.raw"
dsync-vm attach -q web1
virsh -q start web1
start_peer
uri=qemu+ssh://there/system
there mkdir host
far=ssh://there$PWD/host/repository
there mkdir host/repository
guest_wait_agent web1

# --- it is seeded as it writes ----------------------------------------------------

# shellcheck disable=SC2016 # the guest's variables
guest_sh web1 'cat >/run/writer <<"EOF"
i=0
while :; do
	i=$((i + 1))
	echo $i >>/mnt/vda/log
	sync /mnt/vda/log
	[ $((i % 50)) != 0 ] || dd if=/dev/urandom of=/mnt/vda/data bs=64k count=1 \
		seek=$((i / 50 % 100)) conv=notrunc
done
EOF
sh /run/writer >/dev/null 2>&1 &
echo $! >/run/pid'
dsync-vm backup web1 "$far" --output json >first.json
dsync-vm preseed web1 "$uri" --disk "vda=$PEER_DISKS" --max-downtime 3000

# --- and moves --------------------------------------------------------------------

guest_sh web1 'tail -n 1 /mnt/vda/log' >before
dsync-vm preseed web1 "$uri" --disk "vda=$PEER_DISKS" --migrate \
	--max-downtime 30000 --output json >moved.json
jq -c '{passes, downtime_ms, disks_ms, memory_ms, last_bytes, estimate_ms}' moved.json
expect_equal "$(virsh -q domstate web1)" 'shut off'
at_peer guest_wait_agent web1 60
at_peer guest_sh web1 'tail -n 1 /mnt/vda/log' >after
echo "it had written $(<before) numbers before, and $(<after) after"
[ "$(<after)" -gt "$(<before)" ] || fail 'it does not go on'
# It has not booted anew: what is in its memory is still there.
# shellcheck disable=SC2016 # the guest's
at_peer guest_sh web1 'kill -0 $(cat /run/pid)'

# --- its backups go on -----------------------------------------------------------

# shellcheck disable=SC2016 # the guest's
at_peer guest_sh web1 'kill $(cat /run/pid)
	until mount -o remount,ro /mnt/vda; do sleep 0.1; done'
at_peer guest_sh web1 'wc -l </mnt/vda/log; tail -n 1 /mnt/vda/log' | xargs >count
read -r lines last <count
[ "$lines" = "$last" ] || fail "$lines lines, and the last one is $last"
there dsync-vm backup web1 "$far" --output json >second.json
expect_equal "$(jq -c '[.exit_code, .disks[0].full]' second.json)" '[0,false]'
there dsync-vm verify -q web1 "$PWD/host/repository" --all
there dsync-vm restore -q web1 "$PWD/host/repository" --to "$PWD/host"
there cmp host/web1-vda.raw /dev/mapper/dsync-web1-vda
there e2fsck -fn host/web1-vda.raw
there debugfs -R 'cat log' host/web1-vda.raw >log
seq "$last" | cmp - log
