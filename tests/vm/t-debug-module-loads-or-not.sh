#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Whichever allocation fails, the module is loaded, or it leaves nothing.
# kernel: debug
. "$TOP/tests/vm/lib.sh"
. "$TOP/tests/vm/lib-fault.sh"

insert() {
	faulty insmod "/lib/modules/$(uname -r)/extra/dm-dsync.ko"
}
inserted() {
	if [ "$1" = 0 ]; then
		rmmod dm-dsync
	fi
	[ ! -e /sys/module/dm_dsync ] || fail 'half a module'
	[ ! -e /proc/dsync ] || fail 'its folder in /proc is left'
}

faults_on
modprobe -qr dm-dsync || :
fail_each insert inserted
fail_from insert inserted 2048
modprobe dm-dsync
