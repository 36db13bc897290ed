#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Moves a guest that writes a log from one machine to another, in turns by
#
#	preseed	dsync-vm preseed --migrate, after its disk was seeded
#	copy	virsh migrate --copy-storage-all
#	shared	virsh migrate of a guest without a disk: what a migration with
#		shared storage costs
#
# and prints METHOD ROUND SPENT_MS WIRE_BYTES DOWNTIME_MS LAST_BYTES DISKS_MS
# MEMORY_MS, where WIRE_BYTES is all that this machine sent since the move began,
# DOWNTIME_MS is from the pause here to the guest's going on over there, and
# DISKS_MS and MEMORY_MS are parts of it. For `ci/bench preseed`.
#
# ROUNDS: of each.
#
# disks: 2G
# peer: 256M 512M
# timeout: 3000
. "$TOP/tests/vm/lib.sh"
. "$TOP/tests/vm/lib-peer.sh"

ROUNDS=${ROUNDS:-3}
uri=qemu+ssh://there/system
mkfs.ext4 -q "$DISKS"
mkdir host
mount "$DISKS" host
cleanup_fn umount host
start_libvirtd
start_peer
there mkdir host
there mkfs.ext4 -q "${PEER_DISKS##* }"
there mount "${PEER_DISKS##* }" host

sent_bytes() {
	cat /sys/class/net/eth0/statistics/tx_bytes
}

# write_log NAME: in the guest, some 100 KiB a second.
write_log() {
	# shellcheck disable=SC2016 # the guest's variables
	guest_sh "$1" 'cat >/run/writer <<"EOF"
while :; do
	dd if=/dev/urandom of=/mnt/vda/data bs=64k count=1 conv=notrunc,fsync \
		seek=$(($(date +%s) % 256))
	sleep 0.5
done
EOF
	[ ! -d /mnt/vda/lost+found ] || sh /run/writer >/dev/null 2>&1 &'
}

# make_disk NAME: half of it has content.
make_disk() {
	rm -f "host/$1.raw"
	head -c 128M /dev/urandom >"host/$1.raw"
	truncate -s 256M "host/$1.raw"
	mkfs.ext4 -q -F -E lazy_itable_init=0,lazy_journal_init=0,nodiscard \
		"host/$1.raw"
}

# move NAME COMMAND...: prints its costs; the last line of its output is those of
# the downtime.
move() {
	local name=$1 began before
	shift
	before=$(sent_bytes)
	began=$(date +%s%N)
	"$@" >moved
	echo "$name $round $((($(date +%s%N) - began) / 1000000)) \
$(($(sent_bytes) - before)) $(tail -n 1 moved)"
	at_peer virsh -q destroy "$name"
	at_peer virsh -q undefine "$name"
}

by_preseed() {
	dsync-vm preseed preseed "$uri" --disk "vda=${PEER_DISKS%% *}" --migrate \
		--max-downtime 5000 --output json >report.json
	jq -r '"\(.downtime_ms) \(.last_bytes) \(.disks_ms) \(.memory_ms)"' \
		report.json
}

by_virsh() {
	virsh -q migrate --live --persistent --unsafe "$@" "$uri" tcp://there
	virsh -q domjobinfo --completed "${*: -1}" |
		awk '/^Total downtime/ {print $3, 0, 0, $3}'
}

for round in $(seq "$ROUNDS"); do
	make_disk preseed
	define_guest preseed "$PWD/host/preseed.raw"
	dsync-vm attach -q preseed
	virsh -q start preseed
	guest_wait_agent preseed
	write_log preseed
	dsync-vm preseed -q preseed "$uri" --force --disk "vda=${PEER_DISKS%% *}" \
		--max-downtime 5000
	move preseed by_preseed
	virsh -q undefine preseed

	make_disk copy
	there truncate -s 256M host/copy.raw
	define_guest copy "$PWD/host/copy.raw"
	virsh -q start copy
	guest_wait_agent copy
	write_log copy
	move copy by_virsh --copy-storage-all copy
	virsh -q undefine copy
	there rm host/copy.raw

	define_guest shared
	virsh -q start shared
	guest_wait_agent shared
	move shared by_virsh shared
	virsh -q undefine shared
done
