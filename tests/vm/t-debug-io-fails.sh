#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Errors of the data device reach the guest, and a failed write is marked.
# kernel: debug
# disks: 64M
. "$TOP/tests/vm/lib.sh"
. "$TOP/tests/vm/lib-module.sh"
. "$TOP/tests/vm/lib-fault.sh"

data=${DISKS%% *}
dev=/dev/mapper/t
track t "$data"
clear t

faults_on
fail_requests 100 "$data"
! write_at $dev 40 8 2>/dev/null || fail 'the write succeeded'
! dd if=$dev of=/dev/null count=1 iflag=direct status=none 2>/dev/null ||
	fail 'the read succeeded'
! dd if=/dev/null of=$dev count=0 conv=fsync,notrunc status=none \
	2>/dev/null || fail 'the flush succeeded'
! blkdiscard -f -o 1M -l 1M $dev 2>/dev/null || fail 'the discard succeeded'
expect_equal "$(blocks t)" '5 256-511'
cut_at t 1

mend_requests "$data"
write_at $dev 40 8
expect_equal "$(message t epoch_abort "$(id 1)")" ''
expect_equal "$(blocks t) $(state t)" '5 256-511 clean'
