#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# A restore in place that is killed at any instant leaves the disks as they were,
# or a domain that neither starts nor is backed up until a restore is finished:
# the same one, or another.
# long
# disks: 64M 1G
# timeout: 900
. "$TOP/tests/vm/lib.sh"
. "$TOP/tests/vm/lib-backup.sh"
. "$TOP/tests/random-kill.sh"

requires strace

no_devices() {
	! dmsetup ls | grep -q dsync-web1 && ! losetup -l | grep -q web1.raw
}

no_server() {
	! pgrep -x qemu-nbd >/dev/null
}

# is_point DIR: the stopped domain's own files are the disks kept in DIR.
is_point() {
	cmp -s host/web1.raw "$1/vda" && cmp -s "$block" "$1/vdb"
}

is_marked() {
	compgen -G "$state/restoring/*" >/dev/null
}

# expect_refused: and nothing changes that.
expect_refused() {
	expect_exit 1 virsh -q start web1 2>err
	grep -q "half restored; finish with 'dsync-vm restore web1" err ||
		fail "$(cat err)"
	expect_exit 5 dsync-vm backup -q web1 "$repository" 2>err
	grep -q 'half restored' err || fail "$(cat err)"
}

make_host
make_domain web1
state=/var/lib/dsync-vm/$(virsh -q domuuid web1)
declare -A points
for which in one two; do
	scribble web1 40
	backup web1 "$repository" --no-freeze
	expect_equal "$status" 0
	points[$which]=$(report .point)
	keep web1 was/$which
done
virsh -q destroy web1
wait_until 10 no_devices

restore=(dsync-vm restore -q --in-place web1 "$repository")
strace -o trace "${restore[@]}" "${points[one]}"
is_point was/one || fail 'it is not the point'
marked_at=$(grep -n -m 1 /restoring trace | cut -d : -f 1)

# rounds_left: ROUNDS, and some more if none was killed half way.
rounds_left() {
	[ $round -lt "${ROUNDS:-4}" ] || [ "$halves $((round < 20))" = '0 1' ]
}

now=one next=two round=0 halves=0
while rounds_left; do
	round=$((round + 1))
	from=$((round % 3 == 0 ? 1 : marked_at))
	inject=$(random_kill trace "$from")
	status=0
	strace -o killed -e "$inject" "${restore[@]}" "${points[$next]}" ||
		status=$?
	echo "round $round: to $next, $inject: $status"
	wait_until 30 no_server
	if is_marked; then
		halves=$((halves + 1))
		expect_refused
	elif ! is_point was/$now; then
		is_point was/$next || fail 'a mixture that nothing tells of'
	fi
	# In every other round, as after a power cut of the host.
	if [ $((round % 2)) = 0 ] && is_marked; then
		virsh -q dumpxml web1 >web1.xml
		dsync-vm-hook web1 release end - <web1.xml
		no_devices || fail 'devices are left'
		rm -r /run/dsync-vm/*
		expect_refused
	fi
	# Another point does as well as the same.
	[ $((RANDOM % 4)) != 0 ] || next=$now
	"${restore[@]}" "${points[$next]}"
	is_point was/$next || fail 'it is not the point'
	! is_marked || fail 'still marked'
	[ $next = one ] && now=one next=two || now=two next=one
done
echo "$halves of $round were killed half way"
[ $halves -gt 0 ] || fail 'none was killed half way'

# What the tracker knows is right after all of this.
backup web1 "$repository" --no-freeze
[ "$status" = 0 ] || [ "$status" = 4 ] || fail "the backup ended with $status"
expect_point web1 "$(report .point)" was/$now
virsh -q start web1
virsh -q destroy web1
wait_until 10 no_devices

# Only one disk was half restored, and is finished alone; the way out.
mkdir -p "$state/restoring"
echo 'dsync-vm restore web1' >"$state/restoring/vda"
dsync-vm restore -q --in-place web1 "$repository" --disk vdb
expect_refused
dsync-vm restore -q --in-place web1 "$repository" --disk vda
virsh -q start web1
virsh -q destroy web1
wait_until 10 no_devices
echo 'dsync-vm restore web1' >"$state/restoring/vda"
expect_refused
dsync-vm status web1 >out
grep -q "web1: its disk vda is half restored; finish with 'dsync-vm restore web1" out
expect_equal "$(dsync-vm status --output json |
	jq -c '.disks | map(.state)')" '["half-restored","stopped"]'
expect_exit 2 dsync-vm check >out
grep -q 'CRITICAL.*half restored' out || fail "$(cat out)"
rm "$state/restoring/vda"
virsh -q start web1

# Nor does it start without its devices, detached meanwhile.
virsh -q destroy web1
wait_until 10 no_devices
dsync-vm detach -q web1
echo 'dsync-vm restore web1' >"$state/restoring/vda"
expect_exit 1 virsh -q start web1 2>err
grep -q 'half restored' err || fail "$(cat err)"
rm "$state/restoring/vda"
