#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Whoever else reloads, renames or removes a disk, or sends it messages while
# it is written to: nothing hangs, and no change is lost, in RAM or on disk.
# timeout: 400
# disks: 64M 64M 64M 64M 64M
#
# One caller makes cuts, with a copy of the disk at each, and goes by these;
# the others do all that they may do meanwhile, and most of it at a bad moment.
# A lock keeps them from resuming the disk while it is copied.
#
# Device mapper itself does not bear all of it. From 5.15 to at least 6.12 it
# notes for IMA what is loaded, without a lock. Whatever the target, memory is
# freed twice if on one device two of load, clear, rename, removal and resume
# into a new table meet, or a rename and any resume. One caller alone can do it,
# too: after a clear both of its notes point to one name, which a rename frees,
# and the next load again. So these go one by one, by the same lock, and a clear
# is followed by a load before anybody renames, which parts the notes again.
# Suspends, messages, status, files and I/O need none of this.
#
# SEED=N repeats a run as far as the scheduler lets it.
# shellcheck disable=SC2030,SC2031 # each caller has a RANDOM of its own
. "$TOP/tests/vm/lib.sh"
. "$TOP/tests/vm/lib-module.sh"

SEED=${SEED:-$((RANDOM << 15 | RANDOM))}
RANDOM=$SEED
echo "seed $SEED"
stomp=$(program stomp)
read -r data raw copied other other_meta <<<"$DISKS"
rounds=${ROUNDS:-4}
sectors=49152 blocks=6144 # 24 MiB
proc=/proc/dsync/t

# The disk has an id too, as its name changes. Few regions can be active; and a
# machine that is busy is not to be taken for a META_DEV that hangs.
table="0 $sectors dsync $data /dev/mapper/meta 8 \
6 region_sectors 128 active_regions 16 meta_timeout_ms 60000"
dm_create meta "0 2048 linear $raw 0"
dmsetup create t -u load --table "$table"
cleanup_fn remove_disk
cleanup_fn dm_remove u
disk() {
	dmsetup "$1" -u load "${@:2}"
}

# A writer does not end while it waits for a disk that is suspended.
remove_disk() {
	dmsetup resume meta
	disk resume
	disk remove --retry
}

locked() {
	flock lock "$@"
}

# --- the others ---------------------------------------------------------

# others COMMAND: a background process, ROUNDS times one of what COMMAND does;
# it is told a number that no other has, and its words are kept.
others=()
others() {
	(
		trap - ERR EXIT
		set +e
		RANDOM=$((SEED + ${#others[@]} * 7919))
		for i in $(seq $((rounds * 3))); do
			"$1" $((1000 * (${#others[@]} + 1) + i))
		done
		exit 0 # much is refused, the last may be, too
	) >>"$1-${#others[@]}.log" 2>&1 &
	others+=($!)
	cleanup_fn end_process $!
}

# With what it has just started
end_process() {
	kill -STOP "$1" 2>/dev/null || return 0
	pkill -9 -P "$1"
	kill -9 "$1"
}

# What one has loaded, the other may drop or resume.
reload() {
	locked dmsetup reload -u load --table "$table"
	case $((RANDOM % 4)) in
	0) locked bash -c "dmsetup clear -u load
		dmsetup reload -u load --table '$table'" ;;
	1) disk status --inactive ;;
	*) locked dmsetup resume -u load ;;
	esac
}

suspend_it() {
	locked bash -c 'dmsetup suspend -u load; dmsetup resume -u load'
}

rename_it() {
	locked dmsetup rename t s
	disk remove # never: it is in use
	locked dmsetup rename s t
}

# An epoch that comes to nothing; most often it is not a good moment.
send() {
	case $((RANDOM % 6)) in
	0 | 1) disk message 0 flush ;;
	2)
		disk message 0 epoch_begin "$(id "$1")"
		disk message 0 epoch_abort "$(id "$1")"
		;;
	3)
		locked bash -c "dmsetup suspend -u load
			dmsetup message -u load 0 epoch_begin $(id "$1")
			dmsetup resume -u load"
		disk message 0 epoch_abort "$(id "$1")"
		;;
	4) disk message 0 release 0 $blocks ;;
	*) disk message 0 epoch_end "$(id "$1")" ;;
	esac
}

look_at_it() {
	disk status
	disk table
	cat $proc/bitmap $proc/frozen >looked
	head -n 100 $proc/dirty >looked
}

# A second disk comes, is written to, and goes.
second() {
	dmsetup create u --table "0 $sectors dsync $other $other_meta 8"
	write_at /dev/mapper/u $((RANDOM * 8 % sectors)) 8
	dmsetup message u 0 flush
	dmsetup remove --retry u
}

# --- the cuts -----------------------------------------------------------

# copy FILE: of the data; META_DEV is copied at an instant, too.
copy() {
	dd if="$data" of="$1" bs=1M count=24 iflag=direct status=none
	cp touched touched-now
	dmsetup suspend --noflush meta
	dd if="$raw" of="$copied" bs=1M count=1 iflag=direct oflag=direct \
		status=none
	dmsetup resume meta
}

# What a power cut at the last copy would have left
check_copied() {
	dm_create cut "0 $sectors dsync $other $copied 8"
	[ "$(state cut)" != lost ] || fail 'a crash would lose everything'
	"$stomp" check before after /proc/dsync/cut/bitmap any
	dm_remove cut
}

# make_cut N: begins epoch N, unless somebody else has one open
make_cut() {
	disk suspend
	if ! disk message 0 epoch_begin "$(id "$1")"; then
		disk resume
		return 1
	fi
	copy after
	disk resume
}

head -c $((blocks / 8)) /dev/zero | tr '\0' '\377' >any
: >lock
: >touched
dmsetup suspend -u load
disk message 0 epoch_begin "$(id 1)"
copy before
disk resume
disk message 0 epoch_end "$(id 1)"
"$stomp" write -s "$RANDOM" -t 2 -d /dev/mapper/t touched >stomp.log 2>&1 &
stomper=$!
cleanup_fn end_process $stomper

for one in reload reload suspend_it rename_it send send look_at_it second; do
	others "$one"
done
cuts=0
for epoch in $(seq 10 $((9 + rounds))); do
	exec 9>lock
	flock 9
	make_cut "$epoch" && made=yes || made=
	exec 9>&-
	[ -n "$made" ] || continue
	"$stomp" check before after $proc/frozen touched-now
	disk message 0 epoch_end "$(id "$epoch")"
	check_copied
	mv after before
	cuts=$((cuts + 1))
done
for pid in "${others[@]}"; do
	wait "$pid"
done
kill $stomper
wait $stomper || fail "$(cat stomp.log)"

# Nobody is left: what is dirty or frozen now has all that has changed.
disk status
disk suspend
copy after
disk resume
cat $proc/bitmap >dirty-now
python3 - dirty-now $proc/frozen >both <<-'END'
	import sys
	a, b = (open(path, "rb").read() for path in sys.argv[1:])
	sys.stdout.buffer.write(bytes(x | y for x, y in zip(a, b)))
END
"$stomp" check before after both any
check_copied
echo "$cuts cuts"
[ $cuts -gt 0 ] || fail 'nobody could make a cut'
