#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Whatever is pruned, every point that is kept reads as before, byte for byte,
# with stock tools, and verifies: chains of two disks that grow, shrink, come
# and go, removed by random rules. SEED repeats a run.

# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/repo.sh"

new_seed
RANDOM=$seed

: >nothing
truncate -s 4M vda
truncate -s 2M vdb

# change DISK: writes some things to it, and keeps them in the file script-DISK.
change()
{
	local blocks=$(($(stat -c %s "$1") / 4096)) at
	: >"script-$1"
	for _ in $(seq $((RANDOM % 12))); do
		at=$((RANDOM % blocks))
		case $((RANDOM % 4)) in
		0) echo "write -z $((at * 4096)) 4k" ;;
		*) echo "write -P $((RANDOM % 255 + 1)) $((at * 4096)) 4k" ;;
		esac
	done >>"script-$1"
	[ ! -s "script-$1" ] || apply "script-$1" "$1"
}

# A point of both disks, or of vda alone; keeps what they are as was/POINT-DISK.
next_point()
{
	local disks=() disk
	case $((RANDOM % 10)) in
	0) truncate -s "+$((RANDOM % 3))M" vda ;;
	1) # Smaller: a chain of its own begins, with all of the content.
		truncate -s 3M vda
		;;
	esac
	for disk in vda vdb; do
		[ $disk = vda ] || [ $((RANDOM % 4)) -gt 0 ] || continue
		change $disk
		if [ "$(cat "size-$disk" 2>/dev/null || echo 0)" -gt \
			"$(stat -c %s $disk)" ]; then
			echo "write -s $work/$disk 0 $(stat -c %s $disk)" \
				>"script-$disk"
		fi
		stat -c %s $disk >"size-$disk"
		disks+=("$disk:$(stat -c %s $disk):script-$disk")
	done
	time=$((time + 60 * (RANDOM % 600)))
	last=$(point $time "${disks[@]}")
	mkdir -p was
	for disk in "${disks[@]}"; do
		cp --sparse=always "${disk%%:*}" "was/$last-${disk%%:*}"
	done
}

# Every point that the repository has is what it was.
check_all()
{
	local image name
	expect 0 "$DSYNC_VM" list --output json web repo
	jq -r '.domains[].points[] | .point as $p | .disks[] | "\($p)-\(.disk)"' out >points
	[ -s points ] || failed "no points"
	while read -r name; do
		image=repo/web/disks/${name##*-}/${name%-*}.qcow2
		qemu-img check -q -f qcow2 "$image"
		qemu-img compare -q -f raw -F qcow2 "was/$name" "$image" ||
			failed "$name differs"
	done <points
	expect 0 "$DSYNC_VM" verify web repo --all
}

time=1700000000
rounds=${ROUNDS:-4}
for round in $(seq "$rounds"); do
	for _ in $(seq $((2 + RANDOM % 5))); do
		next_point
	done
	[ $((RANDOM % 3)) -gt 0 ] ||
		expect 0 "$DSYNC_VM" prune web repo --protect "$last"
	check_all
	expect 0 env TZ=UTC "$DSYNC_VM" prune web repo --output json \
		"--keep-last=$((RANDOM % 3))" "--keep-hourly=$((RANDOM % 4 + 1))" \
		"--keep-daily=$((RANDOM % 3))"
	cp out pruned
	check_all
	jq -r '.points[] | select(.keep).point' pruned | sort >kept
	sed 's,-[^-]*$,,' points | sort -u | diff kept - || failed "others are kept"
	! find repo -name '*.removed' -o -name '*.partial' | grep . ||
		failed "something was left behind"
	echo "round $round: $(jq .removed pruned) of $(jq '.points | length' pruned) removed"
done
grep -q "$last" points || failed "the newest is gone"
