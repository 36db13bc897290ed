#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Whatever goes wrong with a move, the domain runs on one host, on the right
# disks, the other one says why it does not, and a second try works.
# long
# disks: 64M 1G
# peer: 64M 32M 64M
# timeout: 1200
. "$TOP/tests/vm/lib.sh"
. "$TOP/tests/vm/lib-backup.sh"
. "$TOP/tests/vm/lib-peer.sh"

rounds=${ROUNDS:-4}
make_host
start_peer
make_domain web1
file=$PWD/host/web1.raw
uri=qemu+ssh://there/system
read -r far_block small other <<<"$PEER_DISKS"
there mkdir "$PWD/host"
places=(--create --disk "vdb=$far_block")

preseed() {
	timeout 300 dsync-vm preseed web1 "$uri" "${places[@]}" "$@"
}

expect_here() {
	expect_equal "$(state_here web1)" running
	expect_equal "$(state_there web1)" ''
	expect_clean web1
}

# --- before anything is begun -----------------------------------------------------

expect_error() {
	local want=$1 text=$2
	shift 2
	expect_exit "$want" "$@" 2>err
	cat err
	grep -qF -e "$text" err || fail "no '$text'"
	expect_here
}

expect_error 1 nowhere dsync-vm preseed web1 qemu+ssh://nowhere.invalid/system
expect_error 1 'too small' dsync-vm preseed web1 "$uri" --create \
	--disk "vdb=$small"
expect_error 1 'is not there' dsync-vm preseed web1 "$uri"
there mkfs.ext4 -q "$other"
expect_error 1 'is not empty' dsync-vm preseed web1 "$uri" --create \
	--disk "vdb=$other"
there sh -c "mkdir other && mount $other other"
expect_error 5 'in use' dsync-vm preseed web1 "$uri" --create --force \
	--disk "vdb=$other"
there umount other
there dd if=/dev/zero of="$other" bs=1M count=1 status=none

at_peer define_dummy web1 "$other"
expect_exit 6 preseed 2>err
grep 'another domain of that name' err
at_peer virsh -q undefine web1
expect_exit 1 there [ -e "$file" ]

# A migration that nothing was prepared for.
expect_exit 1 virsh -q migrate --live --unsafe web1 "$uri" 2>err
grep 'nothing says that the image here is the same' err
expect_here

# --- two at once -------------------------------------------------------------------

preseed >first 2>&1 &
first=$!
wait_until 60 there sh -c '[ -e /run/dsync-vm/*/users.lock ]'
second=0
preseed >second 2>&1 || second=$?
status=0
wait $first || status=$?
echo "$status, $second"
case $status,$second in
0,0 | 0,5 | 5,0) ;;
*) fail "$(cat first second)" ;;
esac
expect_here

# --- the network -----------------------------------------------------------------

# A guest that writes faster than what is sent gets there.
busy() {
	exec python3 - <<-'END'
	import mmap, os, random
	disk = os.open("/dev/mapper/dsync-web1-vda", os.O_RDWR | os.O_DIRECT)
	block = mmap.mmap(-1, 65536)
	while True:
	    block[:8] = os.urandom(8)
	    os.pwrite(disk, block, random.randrange(900) * 65536)
	END
}

busy &
writer=$!
cleanup_fn eval "kill $writer 2>/dev/null || :"
limit_network 4mbit
expect_exit 1 preseed --migrate --max-passes 2 --max-downtime 300 >out 2>err
limit_network
grep 'it writes' err
kill $writer
wait $writer || :
expect_here

scribble web1 10
preseed --migrate --max-downtime 60000 >out 2>err &
mover=$!
wait_until 60 grep -q 'pass 1' out
cut_network
moved=0
wait $mover || moved=$?
mend_network
[ $moved != 0 ] || fail 'it moved without a network'
[ $moved != 124 ] || fail 'it did not come to its end'
cat err
expect_equal "$(state_here web1)" running
wait_until 120 nobody_receives
forget_there web1
expect_here

# --- killed at any instant ---------------------------------------------------------

# It writes all the time: numbers, one after the other, on one disk and then the
# other. Wherever it is, all that were written are there.
where() {
	if [ "$(state_here web1)" = running ]; then
		echo here
	elif [ "$(state_there web1)" = running ]; then
		echo there
	else
		echo nowhere
	fi
}

settled() {
	[ "$(where)" != nowhere ]
}

# wait_begun: the move that is under way has made its first pass.
wait_begun() {
	until grep -q 'pass 1' out; do
		kill -0 $mover || fail "it ended: $(cat out err)"
		pause 0.1
	done
}

# Byte for byte what it was, on the side where it runs.
expect_disks() {
	local disk
	for disk in vda vdb; do
		if [ "$1" = here ]; then
			cmp "was/$disk" "/dev/mapper/dsync-web1-$disk"
		else
			there cat "/dev/mapper/dsync-web1-$disk" |
				cmp - "was/$disk"
		fi
	done
}

came_back=0
force=()
for round in $(seq "$rounds"); do
	scribble web1 20
	keep web1 was
	preseed --migrate --max-downtime 20000 "${force[@]}" >out 2>err &
	mover=$!
	force=()
	wait_begun
	pause "$((RANDOM % 25)).$((RANDOM % 10))"
	pkill -KILL -f '^dsync-vm preseed' || :
	wait $mover || :
	wait_until 120 settled
	at=$(where)
	echo "round $round: it is $at; $(state_here web1) here, $(state_there web1) there"
	if [ "$at" = here ]; then
		wait_until 60 not pgrep -f 'dsync-vm watchdog'
		expect_disks here
		forget_there web1
		continue
	fi
	expect_disks there
	expect_exit 1 virsh -q start web1 2>err
	grep 'handed over' err
	came_back=$((came_back + 1))
	# Over there it ends, and it starts here, cold.
	forget_there web1
	dsync-vm preseed --abort web1
	virsh -q start web1
	# What it wrote over there nobody here knows.
	force=(--force)
done
echo "$came_back of $rounds had moved"

# --- the other host loses its power -------------------------------------------------

preseed --migrate --max-downtime 20000 "${force[@]}" >out 2>err &
mover=$!
wait_begun
kill_peer
moved=0
wait $mover || moved=$?
cat out err
[ $moved != 0 ] || fail 'it moved to a host that was gone'
[ $moved != 124 ] || fail 'it did not come to its end'
wait_until 60 not pgrep -f 'dsync-vm watchdog'
expect_equal "$(state_here web1)" running

# --- and a second try works -----------------------------------------------------------

start_peer
there mkdir "$PWD/host"
scribble web1 10
keep web1 was
# The file went with the other host's memory: all of it is sent.
expect_exit 3 preseed --migrate --max-downtime 20000 --force
expect_equal "$(state_there web1)" running
expect_equal "$(state_here web1)" 'shut off'
expect_disks there
