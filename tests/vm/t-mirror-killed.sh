#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# A mirror in a repository is at one point in time whenever it is looked at,
# while the domain writes and whoever of the two sides was killed; it never goes
# back, and ends when told to.
# long
# disks: 64M 1G
# timeout: 5000
. "$TOP/tests/vm/lib.sh"
. "$TOP/tests/vm/lib-backup.sh"
. "$TOP/tests/vm/lib-ssh.sh"

points() {
	dsync-vm list web1 "$repository" --output json |
		jq -r '.domains[0].points[].point'
}

make_host
start_sshd
repository=$PWD/host/far
make_domain web1
scribble web1 40

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
for _ in $(seq "${ROUNDS:-30}"); do
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
kill "$counter"
wait "$counter" || :
expect_clean web1
