#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# The watchdog of a run that was killed, however late it comes to it, cleans up
# after that run only, and never after the next one.
# long
# disks: 64M 1G
# timeout: 300
. "$TOP/tests/vm/lib.sh"
. "$TOP/tests/vm/lib-backup.sh"

# kill_before_it_sends NAME: a run that is killed while its holds are in place,
# and whose $watchdog stands.
kill_before_it_sends() {
	touch standing/next
	dsync-vm backup "$1" "$repository" --no-freeze -q &
	local tool=$!
	wait_until 100 stands
	watchdog=$(pgrep -f 'dsync-vm watchdog')
	kill -STOP "$watchdog"
	kill -KILL $tool
	wait $tool || :
	kill -KILL "$(<standing/server)" 2>/dev/null || : # by itself
	rm standing/server
}

# let_go_of_watchdog: and it is done when this returns.
let_go_of_watchdog() {
	kill -CONT "$watchdog"
	wait_until 60 not kill -0 "$watchdog" 2>/dev/null
}

make_host
make_domain web1
can_stand
scribble web1 40

kill_before_it_sends web1
keep web1 was
touch standing/next
while_standing let_go_of_watchdog 'scribble web1 20' &
writer=$!
backup web1 "$repository" --no-freeze
wait $writer
expect_equal "$status" 0
expect_point web1 "$(report .point)" was
expect_clean web1

# With no next run, it does.
kill_before_it_sends web1
dmsetup ls | grep -q -e '-hold\s' || fail 'there is no hold to be removed'
let_go_of_watchdog
expect_clean web1
