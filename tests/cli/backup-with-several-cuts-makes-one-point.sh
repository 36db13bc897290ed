#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# A backup that ends its cut between two windows and goes on with a later one,
# however often, makes a point that is the disks as they were at the last cut,
# byte for byte, with a sum of every block; and sends again only what changed.
# One that fails or is killed on its way is gone on with by the next. ROUNDS is
# how many points are made, SEED repeats a run.

# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/ssh.sh"
# shellcheck source-path=SCRIPTDIR
. "$tests/kill-rounds.sh"

start_sshd
let_in "command=\"env ASAN_OPTIONS=detect_leaks=0 dsync-vm target --repo $here/repo\""

# What a guest does between two cuts: its blocks are named at the next one, and
# to the next run. Perhaps there is no next one.
next_cut()
{
	RANDOM=$(cat cut-seed)
	: >pending-vda
	: >pending-vdb
	change vda $((RANDOM % 8))
	change vdb $((RANDOM % 3))
	cat pending-vda >>all-vda
	cat pending-vdb >>all-vdb
	make_map vda
	make_map vdb
	echo 'a cut' >>cuts
	echo "$RANDOM" >cut-seed
	[ $((RANDOM % 8)) != 0 ] || return 1
}

{
	declare -f apply change make_map next_cut
	echo next_cut
} >next-cut

# run [PREFIX...]: a backup with several cuts.
run()
{
	time=$((time + 60))
	for disk in vda vdb; do
		cp all-$disk pending-$disk
		make_map $disk
	done
	: >cuts
	NEXT_CUT='bash next-cut' CUT_SEED=$RANDOM "$@" "$MAKE_BACKUP" "$to" \
		web "$uuid_a" $time 16384 vda:vda:map-vda vdb:vdb:map-vdb
}


nr_cuts=0 nr_points=0 nr_kills=0
seq 0 $(($(stat -c %s vda) / 4096 - 1)) >all-vda
seq 0 $(($(stat -c %s vdb) / 4096 - 1)) >all-vdb
while [ $nr_points -lt "${ROUNDS:-3}" ]; do
	to=$here/repo
	[ $((RANDOM % 3)) != 0 ] || to=ssh://$far/
	echo "$RANDOM" >cut-seed
	for disk in vda vdb; do
		: >pending-$disk
		change $disk $((RANDOM % 60))
		cat pending-$disk >>all-$disk
	done
	status=0
	if [ $((RANDOM % 4)) = 0 ]; then
		run strace -o trace -e "inject=rename,fsync,fdatasync,unlink:signal=KILL:when=$((RANDOM % 60 + 1))" \
			>out 2>err || status=$?
		[ $status = 0 ] || nr_kills=$((nr_kills + 1))
		while pgrep -f "dsync-vm target --repo $here/repo" >/dev/null; do
			sleep 0.05
		done
	else
		run >out 2>err || status=$?
		[ $status = 0 ] || grep -q 'next-cut: failed' err ||
			failed "ended with $status: $(cat err)"
	fi
	nr_cuts=$((nr_cuts + $(wc -l <cuts)))
	keep_points
	check_points "after $(wc -l <cuts) cuts"
	[ $status = 0 ] || continue
	nr_points=$((nr_points + 1))
	! find repo -name '*.partial' | grep . || failed "something was left behind"
	: >all-vda
	: >all-vdb
done
[ $nr_cuts -gt $nr_points ] || failed "no run had a second cut"
echo "$nr_points points, $nr_cuts further cuts, $nr_kills kills"
