#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# A mirror in a repository has one point, of one instant, whenever it is looked
# at and whoever was killed: each pass takes the place of the one before, and of
# nothing else. It gets near while the domain writes, and ends when told to.
# disks: 64M 1G
# timeout: 1200
. "$TOP/tests/vm/lib.sh"
. "$TOP/tests/vm/lib-backup.sh"
. "$TOP/tests/vm/lib-ssh.sh"

points() {
	dsync-vm list web1 "$repository" --output json |
		jq -r '.domains[0].points[].point'
}

# expect_passes COUNT DIR: so many points, of which the newest is what is kept.
expect_passes() {
	expect_equal "$(points | wc -l)" "$1"
	expect_point web1 "$(points | tail -n 1)" "$2"
	for disk in vda vdb; do
		expect_equal "$(find "$repository/web1/disks/$disk" -name '*.qcow2' |
			wc -l)" "$1"
	done
}

mirror() {
	dsync-vm mirror web1 "ssh://$far/" "$@"
}

make_host
start_sshd
repository=$PWD/host/far
make_domain web1
scribble web1 40

for _ in 1 2 3; do
	keep web1 was
	mirror --once >out
	cat out
	grep -q "pass 1 at $(points)" out
	expect_passes 1 was
	scribble web1 10
done

# A backup among them stays, and is what it was.
keep web1 backup
backup web1 "ssh://$far/" --no-freeze
expect_equal "$status" 0
backup=$(report .point)
expect_passes 1 backup
for _ in 1 2; do
	scribble web1 10
	keep web1 was
	mirror --once --output json >pass.json
	jq -e '.passes == 1 and .behind_bytes == 0' pass.json
	expect_passes 2 was
	expect_point web1 "$backup" backup
done

# Numbers that are written one after the other, to one disk and then to the other:
# at one instant they are the same, or the first one is ahead by one.
count() {
	exec python3 - <<-'END'
	import mmap, os, struct
	disks = [os.open("/dev/mapper/dsync-web1-" + name, os.O_RDWR | os.O_DIRECT)
	         for name in ("vda", "vdb")]
	block = mmap.mmap(-1, 4096)
	number = 0
	while True:
	    number += 1
	    block[:8] = struct.pack("<Q", number)
	    for disk in disks:
	        os.pwrite(disk, block, 4096 * (number % 64))
	        os.pwrite(disk, block, 1 << 20)
	END
}

number_in() {
	qemu-io -r -f qcow2 -c 'read -v 1M 8' \
		"$repository/web1/disks/$1/$(points | tail -n 1).qcow2" |
		python3 -c 'import sys
line = sys.stdin.readline().split(":")[1].split()[:8]
print(int.from_bytes(bytes(int(byte, 16) for byte in line), "little"))'
}

expect_instant() {
	local first second
	first=$(number_in vda)
	second=$(number_in vdb)
	echo "$first $second"
	[ "$first" = "$second" ] || [ "$first" = $((second + 1)) ] ||
		fail 'it is not of one instant'
	[ "$first" -ge "$last" ] || fail "it went back, from $last"
	last=$first
}

count &
counter=$!
cleanup_fn eval "kill $counter 2>/dev/null || :"
last=0
keep_mirroring() {
	dsync-vm mirror web1 "ssh://$far/" --interval 1s >passes 2>&1 &
	mirrorer=$!
	wait_until 90 grep -q "pass $1 at" passes
}

# The tool is killed, or the far side of it, which it then fails for.
kill_one() {
	if [ $((RANDOM % 2)) = 0 ]; then
		kill -KILL "$mirrorer"
	else
		pkill -KILL -f "$serve" || kill -KILL "$mirrorer"
	fi
	wait "$mirrorer" || :
	wait_until 60 not pgrep -f "$serve"
}

passes=0
count_passes() {
	passes=$((passes + $(grep -c ': pass [0-9]* at' passes || :)))
}

keep_mirroring 2
expect_instant
for _ in $(seq "${ROUNDS:-2}"); do
	# Any time is a good time.
	pause "$((RANDOM % 6)).$((RANDOM % 10))"
	kill_one
	count_passes
	expect_instant
	dsync-vm verify -q web1 "$repository" --all
	keep_mirroring 1
	expect_instant
done
count_passes
echo "$passes passes among the kills"
kill -TERM "$mirrorer"
wait "$mirrorer" || fail "told to end, it ended with $?"

# Near enough is enough.
kill "$counter"
wait "$counter" || :
scribble web1 40
keep web1 was
mirror --until-below 64K --interval 1h
expect_passes 2 was
expect_point web1 "$backup" backup
expect_clean web1
