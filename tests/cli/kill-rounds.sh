# shellcheck shell=bash disable=SC2034,SC2154
# SPDX-License-Identifier: GPL-2.0-or-later
#
# For tests that kill backups: rounds of them, each killed up to four times
# and then let come to its end, compared with what the disks were.  A test
# says where backups go ($to; the repository is repo) and how one is killed:
#
#	killed_backup   one that may be; sets status, 0 if it came to its end
#	settle          waits until nothing of it runs any more

: "${MAKE_BACKUP:=$BUILD/tests/cli/make-backup}"
requires strace -V
# The leak checker traces too, and two cannot.
export ASAN_OPTIONS=detect_leaks=0

new_seed
RANDOM=$seed

mkdir repo was
truncate -s 8M vda
truncate -s 2M vdb
: >pending-vda
: >pending-vdb

# change DISK COUNT: writes so many times to it; its pending list grows.
change()
{
	local blocks=$(($(stat -c %s "$1") / 4096)) at length verb
	for _ in $(seq "$2"); do
		at=$((RANDOM % blocks)) length=$((RANDOM % 40 + 1))
		[ $((at + length)) -le $blocks ] || length=1
		verb="-P $((RANDOM % 255 + 1))"
		[ $((RANDOM % 4)) -gt 0 ] || verb=-z
		echo "write $verb $((at * 4096)) $((length * 4))k"
		seq $at $((at + length - 1)) >>"pending-$1"
	done >script
	apply script "$1"
}

# change_back DISK: to what it was at the last point.
change_back()
{
	if [ -e "was/$point/$1" ]; then
		cp "was/$point/$1" "$1"
	else
		truncate -s 0 "$1"
		truncate -s 8M "$1"
	fi
}

# The line of a trace at which the second window begins.
windows_begin()
{
	grep -n -m 1 next-window "$1" | cut -d: -f1 | grep . || echo 1
}

# Makes map-DISK, in the order of bits that backups use.
make_map()
{
	python3 -c '
import sys
bits = bytearray(1 << 12)
for line in open("pending-" + sys.argv[1]):
    block = int(line)
    bits[block // 8] |= 1 << block % 8
size = (int(sys.argv[2]) // 4096 + 7) // 8
open("map-" + sys.argv[1], "wb").write(bits[:size])' \
		"$1" "$(stat -c %s "$1")"
}

time=1700000000
# backup [PREFIX...]: of both disks, with windows of 16 KiB at first.
backup()
{
	local map=map-vda
	time=$((time + 60))
	make_map vda
	make_map vdb
	[ -e was/first ] || map=-
	"$@" "$MAKE_BACKUP" "$to" web "$uuid_a" $time 16384 "vda:vda:$map" \
		"vdb:vdb:${map/vda/vdb}"
}

# Of each point that came to be, what the disks are now.
keep_points()
{
	local name
	for name in repo/web/points/*.json; do
		[ -e "$name" ] || continue
		name=${name##*/}
		name=was/${name%.json}
		[ -e "$name" ] || { mkdir "$name" && cp vda vdb "$name"; }
	done
}

check_points()
{
	local point disk any=
	for point in was/2*; do
		[ -e "$point" ] || continue
		any=yes
		for disk in vda vdb; do
			qemu-img check -q -f qcow2 \
				"repo/web/disks/$disk/${point##*/}.qcow2" ||
				failed "$1: image of $disk"
			qemu-img compare -q -f raw -F qcow2 "$point/$disk" \
				"repo/web/disks/$disk/${point##*/}.qcow2" ||
				failed "$1: $disk of ${point##*/} differs"
		done
	done
	[ -z "$any" ] || expect 0 "$DSYNC_VM" verify web repo --all
}

# random_instant: where to kill a run, as strace takes it.
random_instant()
{
	# Half of the kills are behind the first window.
	local from=1
	[ $((RANDOM % 2)) = 0 ] || from=$(windows_begin calls)
	# Some where names change, which is when most can go wrong.
	if [ $((RANDOM % 4)) = 0 ]; then
		echo "inject=rename:signal=KILL:when=$((RANDOM % 10 + 1))"
	else
		random_kill calls "$from"
	fi
}

# So that the last round takes no longer than the first.
forget_old_points()
{
	local point
	[ "$(find was -name '2*' | wc -l)" -gt 12 ] || return 0
	expect 0 "$DSYNC_VM" prune web repo --keep-last=6
	for point in was/2*; do
		[ -e "repo/web/points/${point##*/}.json" ] || rm -r "$point"
	done
}

# kill_rounds: all of it.
kill_rounds()
{
	# What a whole run calls, so that kills are spread over all of it.
	change vda 300
	change vdb 30
	backup strace -o calls >out || failed "it does not even work: $(cat out)"
	settle
	rm -r repo/*

	nr_kills=0 nr_resumed=0 point=none
	for round in $(seq "${ROUNDS:-5}"); do
		change vda $((RANDOM % 100))
		change vdb $((RANDOM % 8))
		for _ in 1 2 3 4; do
			status=0
			[ $((RANDOM % 5)) = 0 ] || killed_backup
			[ "$status" != 0 ] || break
			settle
			nr_kills=$((nr_kills + 1))
			keep_points
			case $((RANDOM % 3)) in
			0) change vda $((RANDOM % 5)) ;;
			1) change_back vda ;;
			esac
			[ $((RANDOM % 4)) -gt 0 ] || check_points "after a kill in round $round"
		done
		# The last one may have come to its end: then this one has nothing to do.
		backup strace -o calls >out 2>err || failed "round $round: $(cat err)"
		! grep -q resumed out || nr_resumed=$((nr_resumed + 1))
		point=$(tail -n 1 out)
		keep_points
		: >was/first
		: >pending-vda
		: >pending-vdb
		check_points "round $round"
		! find repo -name '*.partial' | grep . || failed "something was left behind"
		forget_old_points
		[ $((round % 10)) != 0 ] || echo "round $round: $nr_kills kills so far"
	done
	[ -e "was/$point/vda" ] || failed "no point"
	echo "$nr_kills kills, $nr_resumed runs went on with what was sent"
}
