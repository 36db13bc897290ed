#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# The tests of holds notice every fault that is put into them.
# timeout: 3000
# disks: 64M 64M 64M 64M
# mutants: hold-no-second-look hold-looks-at-submit hold-misses-release
# mutants: hold-publishes-early hold-copies-nothing hold-lets-go-early
# mutants: hold-ignores-errors hold-forgets-deferred hold-reads-released
. "$TOP/tests/vm/lib.sh"
. "$TOP/tests/vm/lib-mutants.sh"

expect_noticed 1 'FAIL|WRONG|not held' module-hold-point-in-time \
	module-hold-one-instant module-hold-life module-hold-fails
