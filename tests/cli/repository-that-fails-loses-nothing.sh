#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# A repository that is full, over its quota or broken at any call that changes
# something fails the backup with one line that says what and why, unless it can
# do without; the points stay what they were, and the next backup is right and
# leaves nothing over. FAULTS is how often, SEED repeats a run.

# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/repo.sh"

: "${MAKE_BACKUP:=$BUILD/tests/cli/make-backup}"
requires strace -V
# The leak checker traces too, and two cannot.
export ASAN_OPTIONS=detect_leaks=0 KEEP_LAST=3

new_seed
RANDOM=$seed
changing='^((write|pwrite64|fsync|rename|mkdir|fallocate|ftruncate|fchmod)[(].*/repo|openat[(].*/repo.*O_CREAT)'

time=1700000000
backup() # [PREFIX...]
{
	time=$((time + 60))
	"$@" "$MAKE_BACKUP" repo web "$uuid_a" $time 16384 vda:vda:-
}

change()
{
	echo "write -P $((RANDOM % 255 + 1)) $((RANDOM % 240 * 4096)) 64k" >script
	apply script vda
}

# Of each point that came to be, what the disk is.
keep_points()
{
	local name
	for name in repo/web/points/*.json; do
		name=was/$(basename "$name" .json)
		[ -e "$name" ] || cp vda "$name"
	done
}

check_points()
{
	local path name
	for path in repo/web/points/*.json; do
		name=$(basename "$path" .json)
		qemu-img compare -q -f raw -F qcow2 "was/$name" \
			"repo/web/disks/vda/$name.qcow2" ||
			failed "$1: $name differs"
	done
	expect 0 "$DSYNC_VM" verify --all web repo
}

mkdir repo was
truncate -s 1M vda
for _ in 1 2 3 4; do
	change
	backup strace -y -o calls >out || failed 'it does not even work'
	keep_points
done

for _ in $(seq "${FAULTS:-6}"); do
	errors=(ENOSPC EDQUOT EIO)
	error=${errors[RANDOM % 3]}
	change
	status=0
	if [ $((RANDOM % 3)) = 0 ]; then
		what="inject=pwrite64,pwritev,fdatasync,fallocate:error=$error:when=$((RANDOM % 40 + 1))+"
		follow=-f
	else
		what=$(random_kill calls 1 "$changing")
		what=${what/signal=KILL/error=$error}
		follow=
	fi
	# shellcheck disable=SC2086 # an option or none
	backup strace $follow -o trace -e signal=none -e "$what" >out 2>err ||
		status=$?
	keep_points
	[ $status = 0 ] || [ $status = 1 ] || failed "$what: it ended with $status"
	if [ $status = 1 ]; then
		grep 'make-backup: .*: ' err >why || failed "$what: it says: $(cat err)"
		[ "$(wc -l <why)" = 1 ] || failed "$what: it says: $(cat err)"
		cat why
	fi
	check_points "$what"
	backup >made 2>err || failed "after $what: $(cat err)"
	keep_points
	check_points "after $what"
	cmp -s vda "was/$(tail -n 1 made)" || failed "after $what: another point"
	! find repo -name '*.partial' -o -name '*.removed' -o -name '*.tmp' |
		grep . || failed "after $what: something was left behind"
done
