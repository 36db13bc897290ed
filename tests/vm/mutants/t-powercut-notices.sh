#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# The power cut test notices every fault that is put into the module.
# timeout: 3600
# mem: 3G
# disks: 3G 8G 64M
# mutants: data-before-intent retire-without-leaves retire-without-flush
# mutants: retire-without-frozen switch-forgets-active abort-closes-early
# mutants: abort-forgets-frozen claim-without-stale written-too-early
# mutants: load-without-frozen load-without-intents load-stays-clean
. "$TOP/tests/vm/lib.sh"
. "$TOP/tests/vm/lib-mutants.sh"

export POINTS=${POINTS:-300}
expect_noticed 3 'is lost|in excess' module-powercut
