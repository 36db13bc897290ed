#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Whenever the power of the repository's host is cut, on the worst of file systems
# that keep what was synced, the point that was made last is there, each point
# that is there is what it was, and the next backup is right. CUTS is how often,
# SEED repeats a run.

# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/repo.sh"

: "${MAKE_BACKUP:=$BUILD/tests/cli/make-backup}"
requires strace -V
# The leak checker traces too, and two cannot.
export ASAN_OPTIONS=detect_leaks=0 KEEP_LAST=2

new_seed
RANDOM=$seed
power_cut=$tests/../power-cut.py
calls=$("$power_cut" --calls)

# traced ARGUMENT...: with what it does to files behind what was done before.
traced()
{
	strace -f -A -o trace -y -xx -s 4194304 -e "trace=$calls" \
		-e signal=none "$@"
}

backup() # REPOSITORY [PREFIX...]
{
	local to=$1
	shift
	time=$((time + 60))
	"$@" "$MAKE_BACKUP" "$to" web "$uuid_a" $time 16384 vda:vda:- vdb:vdb:-
}

change()
{
	local disk
	for disk in vda vdb; do
		for _ in 1 2 3 4 5 6 7 8; do
			echo "write -P $((RANDOM % 255 + 1)) $((RANDOM % 240 * 4096)) 8k"
			echo "write -z $((RANDOM % 240 * 4096)) 8k"
		done >script
		apply script $disk
	done
}

# keep_points: of each one that came to be, what the disks are.
keep_points()
{
	local name
	for name in repo/web/points/*.json; do
		name=was/$(basename "$name" .json)
		[ -e "$name" ] || { mkdir "$name" && cp vda vdb "$name"; }
	done
}

# killed CALL N: a run that gets to the Nth of these, and not beyond.
killed()
{
	backup repo traced -e "inject=$1:signal=KILL:when=$2" \
		>out 2>&1 && failed "$1 $2 did not happen"
	keep_points
	change
}

# Points, the first removed, most of them only at a second attempt: made has the
# line of the trace at which each was. The third directory to be synced is that
# which has the domain's.
mkdir repo was
truncate -s 1M vda vdb
time=1700000000
for run in 1 2 3 4; do
	change
	case $run in
	1) killed fsync 3 ;;
	2 | 4) killed rename $((RANDOM % 9 + 2)) ;;
	esac
	backup repo traced >out || failed "it does not even work: $(cat out)"
	keep_points
	echo "$(wc -l <trace) $(tail -n 1 out)" >>made
done
[ "$(find repo -name '*.json' | wc -l)" = 3 ] || failed 'other points are left'
grep -n -E ' (rename|unlink|fsync|mkdir)\(' trace | cut -d: -f1 >steps

# check WHAT: the points of cut.
check()
{
	local path point disk
	for path in cut/web/points/*.json; do
		[ -e "$path" ] || continue
		point=$(basename "$path" .json)
		for disk in vda vdb; do
			qemu-img check -q -f qcow2 "cut/web/disks/$disk/$point.qcow2" ||
				failed "$1: image of $disk of $point"
			qemu-img compare -q -f raw -F qcow2 "was/$point/$disk" \
				"cut/web/disks/$disk/$point.qcow2" ||
				failed "$1: $disk of $point differs"
		done
	done
	[ ! -e "$path" ] || expect 0 "$DSYNC_VM" verify --all web cut
}

for cut in $(seq "${CUTS:-4}"); do
	# One when the first point is there, half of the others behind a step of
	# which the order matters.
	line=$((RANDOM * 32768 + RANDOM))
	if [ "$cut" = 1 ]; then
		read -r line _ <made
	elif [ $((cut % 2)) = 0 ]; then
		line=$((line % $(wc -l <trace) + 1))
	else
		line=$(sed -n "$((line % $(wc -l <steps) + 1))p" steps)
	fi
	what="cut at line $line with $((seed + cut))"
	"$power_cut" trace "$PWD/repo" $((seed + cut)) "$line" cut
	last=$(awk -v line="$line" '$1 <= line { print $2 }' made | tail -n 1)
	# A newer one may be there that was not told of yet, and this one removed.
	newest=$(find cut -path '*/points/*.json' -name '*.json' -printf '%f\n' | sort | tail -n 1)
	[[ ! $newest < $last ]] || failed "$what: $last is gone"
	check "$what"
	backup cut >out 2>err || failed "$what: the next backup: $(cat err)"
	point=$(tail -n 1 out)
	mkdir "was/$point"
	cp vda vdb "was/$point"
	check "$what, next backup"
	! find cut -name '*.partial' -o -name '*.removed' -o -name '*.tmp' | grep . ||
		failed "$what: something was left behind"
	rm -rf cut "was/$point"
done
echo "$cut power cuts among $(wc -l <trace) calls"
