#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Killed at any system call, prune leaves every kept point readable with stock
# tools, as it was; the next one finishes what was begun and nothing is left
# over. KILLS is how often, SEED repeats a run.

# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/repo.sh"

requires strace -V
# The leak checker traces too, and two cannot.
export ASAN_OPTIONS=detect_leaks=0

new_seed
RANDOM=$seed

# Six points of two disks; vda grows on the way.
mkdir was
truncate -s 4M vda vdb
for i in 1 2 3 4 5 6; do
	[ $i != 4 ] || truncate -s 5M vda
	for disk in vda vdb; do
		for _ in 1 2 3 4 5; do
			echo "write -P $((RANDOM % 255 + 1)) $((RANDOM % 900 * 4096)) 8k"
			echo "write -z $((RANDOM % 900 * 4096)) 4k"
		done >script-$disk
		apply script-$disk $disk
	done
	names[i]=$(point $((i * 86400)) "vda:$(stat -c %s vda):script-vda" \
		"vdb:4194304:script-vdb")
	cp vda "was/${names[i]}-vda"
	cp vdb "was/${names[i]}-vdb"
done
mv repo whole
kept=("${names[2]}" "${names[5]}" "${names[6]}")
"$DSYNC_VM" prune web whole --protect "${names[2]}"

prune()
{
	"$DSYNC_VM" prune web repo --keep-last 2
}

check_kept()
{
	local name disk
	for name in "${kept[@]}"; do
		for disk in vda vdb; do
			qemu-img compare -q -f raw -F qcow2 "was/$name-$disk" \
				"repo/web/disks/$disk/$name.qcow2" ||
				failed "$1: $disk of $name differs"
		done
	done
}

# What a whole run calls: so many system calls there are to be killed at.
cp -a whole repo
strace -o trace "$DSYNC_VM" prune web repo --keep-last 2 >out
mv trace calls
check_kept whole
# From where the work begins; before, nothing can be left half done.
begin=$(grep -n '\.lock"' calls | head -n 1 | cut -d: -f1)
rm -rf repo

for kill in $(seq "${KILLS:-8}"); do
	at=$(random_kill calls "$begin")
	cp -a whole repo
	status=0
	strace -o trace -e "$at" "$DSYNC_VM" \
		prune web repo --keep-last 2 >out 2>&1 || status=$?
	# 137, or 0 if this run had fewer calls to make.
	[ $status = 137 ] || [ $status = 0 ] || failed "ended with $status: $(cat out)"
	check_kept "killed at $at"
	expect 0 "$DSYNC_VM" verify web repo --all
	expect 0 prune
	check_kept "gone on from $at"
	for image in repo/web/disks/*/*.qcow2; do
		qemu-img check -q -f qcow2 "$image" || failed "$image, killed at $at"
	done
	expect 0 "$DSYNC_VM" verify web repo --all
	ls -A repo/web/points repo/web/disks/* >left
	! grep -v -E '^$|:$|\.(json|protected|qcow2|sums)$' left ||
		failed "left over after a kill at $at: $(cat left)"
	[ "$(grep -c 'json$' left)" = 3 ] || failed "points: $(cat left)"
	rm -rf repo
done
echo "$kill kills among $(wc -l <calls) calls"
