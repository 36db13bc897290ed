#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# A backup that is interrupted or killed at any instant, also while the disks
# are suspended, leaves none of them so, no server and no device behind, and the
# next one is a correct superset.
# disks: 64M 1G
# timeout: 400
. "$TOP/tests/vm/lib.sh"
. "$TOP/tests/vm/lib-backup.sh"

make_host
make_domain web1
scribble web1 30
backup web1 "$repository" --no-freeze
expect_equal "$status" 0
keep web1 was/first
first=$(report .point)

busy() {
	pgrep -x qemu-nbd >/dev/null || pgrep -f 'dsync-vm watchdog' >/dev/null
}

# rounds_left: ROUNDS, and some more if none was killed in the cut.
rounds_left() {
	[ $round -lt "${ROUNDS:-6}" ] || [ "$caught $((round < 30))" = '0 1' ]
}

round=0 killed=0 caught=0
while rounds_left; do
	round=$((round + 1))
	signal=KILL
	[ $((RANDOM % 3)) != 0 ] || signal=INT
	scribble web1 10
	dsync-vm backup web1 "$repository" --no-freeze --output json \
		>report.json 2>report.err &
	pid=$!
	case $((RANDOM % 3)) in
	0) ! catch_cut KILL $pid vda || caught=$((caught + 1)) ;;
	1) ! catch_cut KILL $pid vdb || caught=$((caught + 1)) ;;
	2)
		sleep "$((RANDOM % 2)).$((RANDOM % 900 + 100))"
		kill -$signal $pid 2>/dev/null || :
		;;
	esac
	status=0
	wait $pid || status=$?
	[ $status = 0 ] || killed=$((killed + 1))
	wait_until 60 not busy
	expect_clean web1
	if [ $((round % 3)) = 0 ]; then
		scribble web1 5
		backup web1 "$repository" --no-freeze
		expect_equal "$status" 0
		keep web1 was/now
		expect_point web1 "$(report .point)" was/now
	fi
done
echo "$killed of $round runs were cut short, $caught of them in the cut"
[ $caught -gt 0 ] || fail 'none was killed in the cut'
expect_point web1 "$first" was/first
expect_equal "$(find "$repository" -name '*.partial')" '' 'partial images left'
