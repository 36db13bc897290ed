#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# A second backup of a domain is refused as long as the first one runs.
# disks: 64M 1G
. "$TOP/tests/vm/lib.sh"
. "$TOP/tests/vm/lib-backup.sh"

server() {
	pgrep -x qemu-nbd
}

make_host
make_domain web1
scribble web1 40
dsync-vm backup web1 "$repository" --no-freeze -q &
first=$!
wait_until 30 server >/dev/null
kill -STOP "$(server)" $first
backup web1 "$repository" --no-freeze
kill -CONT "$(server)" $first
expect_equal "$status" 5
grep -q 'another backup' report.err
wait $first
backup web1 "$repository" --no-freeze
expect_equal "$status" 0
keep web1 was
expect_point web1 "$(report .point)" was
