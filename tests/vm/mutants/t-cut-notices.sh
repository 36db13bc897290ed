#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# The test of cuts under load notices a fault that is put into the module.
# timeout: 1200
# disks: 64M 64M 64M 64M 64M
# mutants: abort-forgets-frozen
. "$TOP/tests/vm/lib.sh"
. "$TOP/tests/vm/lib-mutants.sh"

expect_noticed 2 'unnoticed|lose everything' module-cut-under-load
