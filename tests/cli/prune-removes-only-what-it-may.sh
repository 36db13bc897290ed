#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
#
# What is protected, newest, being read or not understood stays, a dry run
# changes nothing, and misuse is one clear error.

# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/repo.sh"

requires strace -V

printf 'write -P 1 0 64k\n' >s1
printf 'write -P 2 64k 4k\n' >s2
for day in 1 2 3 4; do
	eval "p$day=\$(point $((day * 86400)) vda:1048576:s$((day % 2 + 1)))"
done
# shellcheck disable=SC2154 # made by eval
: "$p1" "$p2" "$p3" "$p4"

prune()
{
	"$DSYNC_VM" prune web repo "$@"
}

# expect_points NAME...: these are left.
expect_points()
{
	(cd repo/web/points && printf '%s\n' *.json | sed 's/.json$//') >left
	printf '%s\n' "$@" | diff - left || failed "other points are left"
}

before=$(picture repo)
expect 2 prune --keep-last 0
says 'no rule keeps anything'
expect 2 prune --keep-last x
expect 2 prune --keep-daily -1
expect 2 prune --protect "$p1" --unprotect "$p2"
expect 1 prune --protect 20000101T000000Z
says 'there is no point'
expect 1 "$DSYNC_VM" prune other repo
expect 0 prune --keep-last 1 --dry-run --output json
[ "$(jq -r '[.points[] | select(.keep | not).point] | join(" ")' out)" = \
	"$p1 $p2 $p3" ] || failed "$(cat out)"
expect 0 prune
[ "$before" = "$(picture repo)" ] || failed "something changed"

# A manifest that is missing, damaged or was put aside does not make its image
# one that nobody needs, not even half way through a removal.
cp -a repo whole
export ASAN_OPTIONS=detect_leaks=0
for rename in 0 2 3; do
	[ $rename = 0 ] || strace -o trace -e inject=rename:signal=KILL:when=$rename \
		"$DSYNC_VM" prune web repo --keep-last 3 >out 2>&1 || :
	for spoil in 'rm -f' 'cp -f /dev/null'; do
		cp "repo/web/points/$p2.json" saved
		$spoil "repo/web/points/$p2.json"
		expect 7 prune --keep-last 1
		cp -f saved "repo/web/points/$p2.json"
		expect 0 "$DSYNC_VM" verify web repo --all
	done
	rm -rf repo
	cp -a whole repo
done
unset ASAN_OPTIONS

# Sums that are missing keep what they are about, and nothing else.
rm -f "repo/web/disks/vda/$p1.sums"
expect 3 prune --keep-last 1
grep -q "$p1 stays" err || failed "$(cat err)"
expect_points "$p1" "$p4"
rm -rf repo
cp -a whole repo

# Whoever reads an image, with whatever program, keeps its point.
qemu-io -r -f qcow2 -c 'read 0 4k' -c 'sleep 3000000' \
	"repo/web/disks/vda/$p2.qcow2" >/dev/null &
reader=$!
servers="$servers $reader"
held()
{
	grep -q -F ":$(stat -c %i "repo/web/disks/vda/$p2.qcow2") " /proc/locks
}
await held
expect 3 prune --keep-last 1
grep -q 'being read' err || failed "$(cat err)"
# What is under it stays as well, since it would become another one.
expect_points "$p1" "$p2" "$p4"
kill "$reader"
wait "$reader" 2>/dev/null || :

expect 0 prune --protect "$p2"
expect 0 prune --keep-last 1
expect_points "$p2" "$p4"
expect 0 "$DSYNC_VM" verify web repo --all

# A manifest that cannot be read may be of a point that others need.
cp "repo/web/points/$p2.json" saved
chmod u+w "repo/web/points/$p2.json"
echo nonsense >"repo/web/points/$p2.json"
expect 0 prune --unprotect "$p4"
expect 7 prune --keep-last 1
cp saved "repo/web/points/$p2.json"
expect 0 prune --unprotect "$p2"
expect 0 prune --keep-last 1
expect_points "$p4"
expect 0 "$DSYNC_VM" verify web repo --all

# A pass of a mirror is kept by no rule, and takes no other point's place in one;
# but the newest is kept, and one that is protected.
for day in 5 6 7 8 9; do
	case $day in
	6 | 7 | 9) export PASS=1 ;;
	*) unset PASS ;;
	esac
	eval "p$day=\$(point $((day * 86400)) vda:1048576:s$((day % 2 + 1)))"
done
unset PASS
# shellcheck disable=SC2154 # made by eval
: "$p5" "$p6" "$p7" "$p8" "$p9"
expect 0 prune --protect "$p6"
expect 0 prune --keep-last 2
expect_points "$p5" "$p6" "$p8" "$p9"
expect 0 "$DSYNC_VM" verify web repo --all
