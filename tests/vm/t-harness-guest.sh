#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# A nested guest boots, runs commands by its agent, and its file systems can
# be frozen and thawed.
# timeout: 300
# disks: 128M
. "$TOP/tests/vm/lib.sh"

start_libvirtd
disk=${DISKS%% *}
mkfs.ext4 -q "$disk"
define_guest answering "$disk"
virsh -q start answering
guest_wait_agent answering

guest_sh answering 'echo hello >/mnt/vda/greeting; sync'
expect_equal "$(guest_sh answering 'cat /mnt/vda/greeting')" hello
expect_exit 3 guest_sh answering 'exit 3'

virsh domfsfreeze answering | grep 'Froze 1 '
expect_equal "$(agent answering '{"execute":"guest-fsfreeze-status"}')" \
	'{"return":"frozen"}'
virsh domfsthaw answering | grep 'Thawed 1 '
guest_sh answering 'echo again >>/mnt/vda/greeting'
cat answering.console
